package vfstest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"cosafs/vfs"
)

// childEnv makes the test program the child that serves a mount; its value is
// a childSpec.
const childEnv = "COSAFS_VFSTEST_CHILD"

// childSpec is what a child has to serve, and where.
type childSpec struct {
	Dir     string   `json:"dir"`
	Scratch string   `json:"scratch"` // for local files
	Plan    Fixture  `json:"plan"`
	Args    []string `json:"args,omitempty"` // for the door
}

// A Mounted is a door that shows a tree at a place of this machine.
type Mounted interface {
	Unmount(ctx context.Context) error
}

// A MountFunc shows tree at dir. stats gives the door's own counters.
type MountFunc func(ctx context.Context, dir string, tree *vfs.FS, args []string) (m Mounted, stats func() any, err error)

// Child serves a mount and returns true if this process was started as the
// child of a test, else false at once. TestMain calls it first: mounts and their
// users must not share a process.
func Child(ctx context.Context, mount MountFunc) (bool, error) {
	spec := os.Getenv(childEnv)
	if spec == "" {
		return false, nil
	}
	return true, serve(ctx, spec, mount)
}

// serve mounts, says so with a first reply, and answers commands until stdin ends.
func serve(ctx context.Context, specJSON string, mount MountFunc) error {
	var spec childSpec
	if err := json.Unmarshal([]byte(specJSON), &spec); err != nil {
		return err
	}
	lib, err := NewLibrary(spec.Plan, spec.Scratch)
	if err != nil {
		return err
	}
	m, stats, err := mount(ctx, spec.Dir, vfs.New(lib, vfs.Options{}), spec.Args)
	if err != nil {
		return err
	}
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	err = out.Encode(Reply{})
	for err == nil {
		var c Command
		if err = in.Decode(&c); err != nil {
			break
		}
		r, doErr := lib.Do(c)
		if doErr != nil {
			r.Error = doErr.Error()
		}
		if r.Stats, err = json.Marshal(stats()); err == nil {
			err = out.Encode(r)
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return errors.Join(err, m.Unmount(ctx))
}

// A Remote is a child process that serves a mount.
type Remote struct {
	Dir string // where
	Cmd *exec.Cmd

	mu  sync.Mutex // one command a time
	in  io.WriteCloser
	out *bufio.Reader

	closeOnce sync.Once
	ended     error // how the child ended, after closeOnce
}

// Start starts the test program again as a child that shows f at dir, an empty
// directory, and waits until it does. The child ends with the test.
func Start(t *testing.T, f Fixture, dir string, args ...string) *Remote {
	t.Helper()
	spec, err := json.Marshal(childSpec{Dir: dir, Scratch: t.TempDir(), Plan: f, Args: args})
	if err != nil {
		t.Fatal(err)
	}
	exe, err := filepath.EvalSymlinks("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	// Not the test's context: the child has to unmount after it ended.
	r := &Remote{Dir: dir, Cmd: exec.CommandContext(context.WithoutCancel(t.Context()), exe)}
	r.Cmd.Env = append(os.Environ(), childEnv+"="+string(spec))
	r.Cmd.Stderr = os.Stderr
	stdout, err := r.Cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if r.in, err = r.Cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	r.out = bufio.NewReader(stdout)
	if err := r.Cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.stop(t) })
	if _, err := r.reply(); err != nil {
		t.Fatalf("the child did not mount: %v", err)
	}
	return r
}

// Close tells the child to unmount and to end, and waits until it did.
func (r *Remote) Close() {
	r.closeOnce.Do(func() {
		_ = r.in.Close() // the child may be gone
		r.ended = r.Cmd.Wait()
	})
}

// stop ends the child, unless the test did.
func (r *Remote) stop(t *testing.T) {
	t.Helper()
	r.Close()
	err := r.ended
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.Exited()) {
		t.Errorf("child: %v", err)
	}
}

// Do implements Control.
func (r *Remote) Do(c Command) (Reply, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := json.NewEncoder(r.in).Encode(c); err != nil {
		return Reply{}, err
	}
	return r.reply()
}

func (r *Remote) reply() (Reply, error) {
	line, err := r.out.ReadBytes('\n')
	if err != nil {
		return Reply{}, err
	}
	var reply Reply
	if err := json.Unmarshal(line, &reply); err != nil {
		return Reply{}, fmt.Errorf("%w in %q", err, line)
	}
	if reply.Error != "" {
		return reply, errors.New(reply.Error)
	}
	return reply, nil
}
