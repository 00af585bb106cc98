package dirstore_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"cosafs/backend/dirstore"
	"cosafs/test/need"
)

// python gives an interpreter that has cosa's lock library.
func python(t *testing.T) string {
	t.Helper()
	for _, p := range []string{"python3", "/usr/bin/python3"} {
		if exec.CommandContext(t.Context(), p, "-c", "import flufl.lock").Run() == nil {
			return p
		}
	}
	need.Lacking(t, "flufl", errors.New("no Python with flufl.lock (Debian: python3-flufl.lock)"))
	return ""
}

// TestCountWithCosa lets two of us and cosa's own library count under one lock.
func TestCountWithCosa(t *testing.T) {
	py, dir := python(t), t.TempDir()
	file := filepath.Join(dir, "n.json")
	writeFile(t, file, []byte("0"))
	children := []*child{
		launch(t, exec.CommandContext(t.Context(), py, "testdata/count.py", file, strconv.Itoa(countTo))),
		start(t, "count", dir),
		start(t, "count", dir),
	}
	for _, c := range children {
		for c.lines.Scan() { // reading on until it ends
		}
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	}
	wantFile(t, file, strconv.Itoa(3*countTo))
	wantNoDots(t, dir)
}

func TestCosaReadsOurLock(t *testing.T) {
	py, dir := python(t), t.TempDir()
	lockFile := filepath.Join(dir, ".builds.json.lock")
	unlock, err := open(t, dir).Builds().Lock(t.Context(), "builds.json")
	if err != nil {
		t.Fatal(err)
	}
	defer unlock() //nolint:errcheck // the test is over
	out, err := exec.CommandContext(t.Context(), py, "testdata/details.py", lockFile).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	f := strings.Fields(string(out))
	if len(f) != 4 || f[0] != host || f[1] != strconv.Itoa(os.Getpid()) || f[2] != lockFile {
		t.Errorf("flufl.lock reads %q; want %s, %d, %s and a state", out, host, os.Getpid(), lockFile)
	}
}

// TestDeadCosaKeepsItsLock: nothing proves that cosa's container is gone.
func TestDeadCosaKeepsItsLock(t *testing.T) {
	py, dir := python(t), t.TempDir()
	c := launch(t, exec.CommandContext(t.Context(), py, "testdata/hold.py", filepath.Join(dir, "builds.json")))
	c.expect(t, "locked")
	pid := c.Process.Pid
	c.kill(t)
	s, err := dirstore.Open(dirstore.Config{Dir: dir, LockWait: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Builds().Lock(t.Context(), "builds.json")
	var locked *dirstore.LockedError
	if !errors.As(err, &locked) || !strings.Contains(locked.Holder, fmt.Sprint(pid)) {
		t.Errorf("Lock: %v; want a LockedError that names process %d", err, pid)
	}
}
