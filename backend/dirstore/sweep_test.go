package dirstore_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cosafs/backend"
)

// dead is the random field of a process of an earlier boot of this host.
const dead = "cosafs0123456789abcdef.00000001"

func TestSweepTakesOnlyOurDead(t *testing.T) {
	b, builds, _ := workdir(t)
	host := hostname(t)
	keep := []string{
		"1/x86_64/meta.json",
		"1/x86_64/.qemu.building",            // cosa's semaphore
		".builds.json.lock|" + host + "|7|9", // cosa's claim
		".tmp|elsewhere|7|" + dead,           // another machine's
		"tmpabcdefgh",                        // cosa's unfinished JSON
		".tmp",
	}
	gone := []string{
		".tmp|" + host + "|7|" + dead,
		"1/x86_64/.tmp|" + host + "|7|" + dead,
		"1/x86_64/.meta.json.lock|" + host + "|7|" + dead,
		".tmp|" + host + "|7|cosafs0123456789abcdef.00000002/x86_64/disk", // half deleted
	}
	for _, name := range append(slices.Clone(keep), gone...) {
		writeFile(t, filepath.Join(builds, name), []byte("x"))
	}
	lockFile := plant(t, builds, host, dead)
	if err := b.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range keep {
		wantFile(t, filepath.Join(builds, name), "x")
	}
	for _, name := range gone {
		if statErr(filepath.Join(builds, name)) == nil {
			t.Errorf("%s is still there", name)
		}
	}
	if statErr(lockFile) == nil {
		t.Error("the dead lock is still there")
	}
}

// gated is a source that is read only when its gate opens.
type gated struct {
	*bytes.Reader
	started chan<- struct{}
	gate    <-chan struct{}
}

func (g gated) ReadAt(p []byte, off int64) (int, error) {
	if off == 0 {
		close(g.started)
		<-g.gate
	}
	return g.Reader.ReadAt(p, off)
}

func TestSweepLeavesTheLivingAlone(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	started, gate, done := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		src := backend.Source{ReaderAt: gated{bytes.NewReader([]byte("x")), started, gate}, Size: 1}
		_, err := s.Put(t.Context(), "file", src, backend.Cond{})
		done <- err
	}()
	<-started
	unlock := lock(t, s.Builds(), "other")
	// Another process's view of the same directory.
	if err := open(t, dir).Builds().Sweep(t.Context()); err != nil {
		t.Error(err)
	}
	close(gate)
	if err := <-done; err != nil {
		t.Errorf("Put under a sweep: %v", err)
	}
	if err := unlock(); err != nil {
		t.Errorf("a lock under a sweep: %v", err)
	}
	wantFile(t, filepath.Join(dir, "file"), "x")
	wantNoDots(t, dir)
}

func TestSweepOfLinks(t *testing.T) {
	b, builds, _ := workdir(t)
	self, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		t.Fatal(err)
	}
	boot := strings.ReplaceAll(string(self), "-", "")[:16]
	alive := fmt.Sprintf(".tmp|%s|%d|cosafs%s.1", hostname(t), os.Getppid(), boot)
	ended := exec.CommandContext(t.Context(), "true")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		alive,
		fmt.Sprintf(".tmp|%s|%d|cosafs%s.1", hostname(t), ended.Process.Pid, boot),
		fmt.Sprintf(".tmp|%s|%d|%s", hostname(t), os.Getppid(), dead),
	} {
		if err := os.Symlink("1", filepath.Join(builds, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := dots(t, builds); len(got) != 1 || filepath.Base(got[0]) != alive {
		t.Errorf("left are %q; want the living process's link alone", got)
	}
}
