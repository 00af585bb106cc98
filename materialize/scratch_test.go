package materialize_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	. "cosafs/materialize"
	"cosafs/test/need"
)

// scratchOf runs a job that does something in its scratch directory, and gives
// the directory after the job.
func scratchOf(t *testing.T, do func(scratch string) error) string {
	t.Helper()
	r := newRunner(t, "", nil)
	var scratch string
	_, err := r.Do(t.Context(), work("k", func(_ context.Context, task *Task) (Result, error) {
		scratch = task.Scratch
		return Result{}, do(scratch)
	}), 0)
	if err != nil {
		t.Fatal(err)
	}
	return scratch
}

func TestImmutableFilesGoAway(t *testing.T) {
	var no error
	scratch := scratchOf(t, func(scratch string) error {
		root := filepath.Join(scratch, "ostree", "deploy")
		if err := os.MkdirAll(filepath.Join(root, "usr"), 0o755); err != nil {
			return err
		}
		no = exec.CommandContext(t.Context(), "chattr", "+i", root).Run()
		return nil
	})
	if no != nil {
		need.Lacking(t, "chattr", no)
	}
	if _, err := os.Lstat(scratch); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("scratch with an immutable directory: %v, want fs.ErrNotExist", err)
	}
}

func TestMountsAreNotDeletedThrough(t *testing.T) {
	keep := t.TempDir()
	file := filepath.Join(keep, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	var no error
	scratch := scratchOf(t, func(scratch string) error {
		point := filepath.Join(scratch, "a mount")
		if err := os.Mkdir(point, 0o755); err != nil {
			return err
		}
		no = syscall.Mount(keep, point, "", syscall.MS_BIND, "")
		return nil
	})
	if no != nil {
		need.Lacking(t, "mount", no)
	}
	if _, err := os.Lstat(scratch); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("scratch with a mount: %v, want fs.ErrNotExist", err)
	}
	if _, err := os.Lstat(file); err != nil {
		t.Errorf("file of the mounted directory: %v", err)
	}
}

func TestRecoverRemovesOrphansOnly(t *testing.T) {
	dir := t.TempDir()
	r := newRunner(t, dir, nil)
	orphan, others := filepath.Join(dir, "scratch", "0123456789a"), filepath.Join(dir, "scratch", "upload-1")
	claim := filepath.Join(dir, "state", "claims", "deadbeef")
	if err := errors.Join(os.Mkdir(orphan, 0o700), os.Mkdir(others, 0o700), os.WriteFile(claim, nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	if rep, err := r.Recover(t.Context()); err != nil || rep.Scratch != 1 {
		t.Errorf("Recover = %+v, %v; want one scratch directory", rep, err)
	}
	for path, want := range map[string]bool{orphan: false, others: true, claim: false} {
		if _, err := os.Lstat(path); (err == nil) != want {
			t.Errorf("%s after Recover: %v; want it there: %v", path, err, want)
		}
	}
}

func TestLeftoverChildrenEndWithTheJob(t *testing.T) {
	r := newRunner(t, "", nil)
	var daemon *exec.Cmd
	_, err := r.Do(t.Context(), work("k", func(ctx context.Context, task *Task) (Result, error) {
		daemon = CommandContext(ctx, task, "sleep", "1000") // a gpg-agent, say: nobody waits for it
		return Result{}, daemon.Start()
	}), 0)
	if err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := daemon.Wait(); !errors.As(err, &exit) || exit.String() != "signal: killed" {
		t.Errorf("a process that the job left: %v, want that it was killed", err)
	}
}

func TestCommandGoesToTheLog(t *testing.T) {
	var log strings.Builder
	task := &Task{Job: "0123456789a", Log: &log}
	if err := CommandContext(t.Context(), task, "sh", "-c", "echo $COSAFS_JOB; echo problem >&2").Run(); err != nil {
		t.Fatal(err)
	}
	if log.String() != "0123456789a\nproblem\n" {
		t.Errorf("log = %q", log.String())
	}
}
