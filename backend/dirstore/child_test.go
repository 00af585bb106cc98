package dirstore_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"cosafs/backend/dirstore"
)

// Children of this test binary run one of these roles, named by CHILD_ROLE, in
// the workdir CHILD_DIR.
var roles = map[string]func(*testing.T, string){
	"hold":  holdLock,
	"count": countUnderLock,
	"churn": churn,
}

func TestChild(t *testing.T) {
	role, ok := roles[os.Getenv("CHILD_ROLE")]
	if !ok {
		t.Skip("only runs as another test's child")
	}
	role(t, os.Getenv("CHILD_DIR"))
}

// A child is a process in a role.
type child struct {
	*exec.Cmd
	stdin io.WriteCloser
	lines *bufio.Scanner
}

// start starts a child; the test's end kills it.
func start(t *testing.T, role, dir string) *child {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChild$")
	cmd.Env = append(os.Environ(), "CHILD_ROLE="+role, "CHILD_DIR="+dir)
	return launch(t, cmd)
}

func launch(t *testing.T, cmd *exec.Cmd) *child {
	t.Helper()
	c := &child{Cmd: cmd}
	cmd.Stderr = os.Stderr
	var err error
	if c.stdin, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.lines = bufio.NewScanner(out)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()         // likewise
	})
	return c
}

// expect waits for a line.
func (c *child) expect(t *testing.T, want string) {
	t.Helper()
	for c.lines.Scan() {
		if c.lines.Text() == want {
			return
		}
	}
	t.Fatalf("the child ended without saying %q", want)
}

// kill kills a child and waits until it is dead.
func (c *child) kill(t *testing.T) {
	t.Helper()
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait() // says that it was killed
}

func holdLock(t *testing.T, dir string) {
	t.Helper()
	unlock, err := open(t, dir).Builds().Lock(t.Context(), "builds.json")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("locked")
	_, _ = io.Copy(io.Discard, os.Stdin) // until the parent closes it
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
}

const countTo = 30 // by each child

// countUnderLock counts in a file that only the lock protects.
func countUnderLock(t *testing.T, dir string) {
	t.Helper()
	b := open(t, dir).Builds()
	for range countTo {
		if err := countOnce(t.Context(), b, filepath.Join(dir, "n.json")); err != nil {
			t.Fatal(err)
		}
	}
}

func countOnce(ctx context.Context, b *dirstore.Builds, file string) error {
	unlock, err := b.Lock(ctx, "n.json")
	if err != nil {
		return err
	}
	old, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(string(old))
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, []byte(strconv.Itoa(n+1)), 0o644); err != nil {
		return err
	}
	return unlock()
}
