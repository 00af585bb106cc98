package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"cosafs/materialize"
)

// A spool is a directory of unfinished work. It belongs to whoever has its lock.
type spool struct{ dir string }

// forgotten is when a download that nobody took up again is given up.
const forgotten = 7 * 24 * time.Hour

// stagePrefix begins the names of what is put together in one go: directories of
// builds, small files.
const stagePrefix = "stage-"

func (s spool) path(name string) string { return filepath.Join(s.dir, name) }

// lock makes the spool and takes it, waiting for another process that has it. The
// kernel drops the lock (flock) at any exit.
func (s spool) lock(ctx context.Context, wait time.Duration, tell func(materialize.Event)) (release func() error, err error) {
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(s.path("lock"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := s.hold(ctx, f, wait, tell); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	// For those who wait. Nothing depends on it.
	_ = f.Truncate(0)
	_, _ = fmt.Fprintf(f, "process %d", os.Getpid())
	return f.Close, s.sweep(time.Now())
}

func (s spool) hold(ctx context.Context, f *os.File, wait time.Duration, tell func(materialize.Event)) error {
	deadline := time.Now().Add(wait)
	for told := false; ; told = true {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return err
		}
		holder, _ := io.ReadAll(io.NewSectionReader(f, 0, 100)) // for people only
		if !told {
			tell(materialize.Event{Phase: "wait", Message: fmt.Sprintf("another fetch works here (%s)", holder)})
		}
		if time.Now().After(deadline) {
			return materialize.Fail(materialize.ClassTool, "fetch", "wait until it has ended, or end it",
				fmt.Errorf("another fetch (%s) works in this directory: %w", holder, fs.ErrExist))
		}
		if err := pause(ctx, 20*time.Millisecond+rand.N(100*time.Millisecond)); err != nil {
			return fmt.Errorf("waiting for another fetch (%s): %w", holder, err)
		}
	}
}

// pause waits, or gives ctx's error.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// sweep removes what nobody will go on with.
func (s spool) sweep(now time.Time) error {
	entries, err := os.ReadDir(s.dir)
	for _, e := range entries {
		info, infoErr := e.Info()
		old := infoErr == nil && now.Sub(info.ModTime()) > forgotten
		own := e.Name() == "lock" || e.Name() == listFile.Base()
		if strings.HasPrefix(e.Name(), stagePrefix) || old && !own {
			err = errors.Join(err, os.RemoveAll(s.path(e.Name())))
		}
	}
	return err
}

// replace replaces a small file of the working directory: readers and crashes see
// the old one or the new one.
func (s spool) replace(path string, data []byte) error {
	f, err := os.CreateTemp(s.dir, stagePrefix)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes the names in a directory survive a power failure.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
