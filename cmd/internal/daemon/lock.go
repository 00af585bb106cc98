package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"cosafs/vfs/webui"
)

// How long a start waits for an ending daemon to let go, and how often it looks.
const (
	lockTime = 40 * time.Second // more than a daemon takes to end its jobs
	lockPoll = 50 * time.Millisecond
)

// takeLock makes this process the build directory's daemon, until the file is
// closed or the process ends. A living daemon is [webui.ErrRunning]; one that is
// ending is waited for.
func takeLock(ctx context.Context, workdir string, rt webui.Runtime) (*os.File, error) {
	if err := os.MkdirAll(StateDir(workdir), 0o755); err != nil {
		return nil, fmt.Errorf("make state directory: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(StateDir(workdir), "daemon.lock"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open daemon lock: %w", err)
	}
	if err := waitLock(ctx, f, func() bool { return answers(ctx, workdir, rt) }); err != nil {
		_ = f.Close() // the lock's error is the one to tell
		return nil, err
	}
	// The pid is for people; what counts is the lock.
	_ = f.Truncate(0)
	_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return f, nil
}

// answers says whether a daemon for workdir answers on its socket.
func answers(ctx context.Context, workdir string, rt webui.Runtime) bool {
	c, _, err := rt.Dial(ctx, workdir)
	if err != nil {
		return false
	}
	c.Close()
	return true
}

// waitLock waits for f's lock. It gives up with [webui.ErrRunning] as soon as the
// holder is found alive, and when lockTime is over.
func waitLock(ctx context.Context, f *os.File, alive func() bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, lockTime, webui.ErrRunning)
	defer cancel()
	tick := time.NewTicker(lockPoll)
	defer tick.Stop()
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, unix.EWOULDBLOCK):
			return fmt.Errorf("lock %s: %w", f.Name(), err)
		case alive():
			return webui.ErrRunning
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// WaitEnd waits until no daemon holds workdir, or until ctx ends.
func WaitEnd(ctx context.Context, workdir string) error {
	f, err := os.Open(filepath.Join(StateDir(workdir), "daemon.lock"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open daemon lock: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	return waitLock(ctx, f, func() bool { return false })
}
