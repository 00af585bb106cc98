package fusefs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Patience of an unmount.
const (
	busyGrace  = 2 * time.Second        // for users to let go, before the mount is detached under them
	busyRetry  = 50 * time.Millisecond  // between two attempts
	serveGrace = 3 * time.Second        // for the server to notice, before the connection is cut
	maxStacked = 8                      // mounts of ours on top of each other that Unmount takes away
	toolGrace  = 500 * time.Millisecond // for fusermount3 to end after its context did
)

// Unmount takes our mount away from dir, whether or not anybody serves it. Where
// it is busy it is detached: who has files open keeps them, nobody new gets in.
// fs.ErrNotExist if nothing is mounted there, fs.ErrInvalid if it isn't ours.
func Unmount(ctx context.Context, dir string) error {
	dir, err := resolve(dir)
	if err != nil {
		return fmt.Errorf("unmount: %w", err)
	}
	for n := 0; n < maxStacked; n++ {
		m, err := find(dir)
		switch {
		case err != nil:
			return err
		case m == nil && n == 0:
			return &fs.PathError{Op: "unmount", Path: dir, Err: fmt.Errorf("nothing is mounted there: %w", fs.ErrNotExist)}
		case m == nil || m.fsType != fsType && n > 0:
			return nil
		case m.fsType != fsType:
			return &fs.PathError{Op: "unmount", Path: dir, Err: fmt.Errorf("%s is not a mount of ours: %w", m.fsType, fs.ErrInvalid)}
		}
		if err := take(ctx, m); err != nil {
			return &fs.PathError{Op: "unmount", Path: dir, Err: err}
		}
	}
	return nil
}

// Unmount takes the mount away and waits until nothing of the server runs any
// more. Opens that wait end with ENODEV. It never hangs: a mount that stays
// busy is detached, a connection that stays open is cut. Where this process may
// not cut it (users, if nobody mounted the FUSE control file system) the error
// is fs.ErrPermission: the place is free, but files in use are served until
// their users close them or this process ends.
func (s *Server) Unmount(ctx context.Context) error {
	s.closeOnce.Do(func() { close(s.closing) })
	err := Unmount(ctx, s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil // from outside, or by another call
	}
	timeout := time.NewTimer(serveGrace)
	defer timeout.Stop()
	select {
	case <-s.done:
		return err
	case <-timeout.C:
	case <-ctx.Done():
	}
	// Somebody still has files open, or a copy of the mount lives in another mount
	// namespace.
	if cut := abort(s.conn); cut != nil {
		return errors.Join(err, fmt.Errorf("unmount %s: still in use: %w", s.dir, cut))
	}
	<-s.done
	return err
}

// take unmounts m: in peace, then by detaching it, at last by cutting its
// connection.
func take(ctx context.Context, m *mount) error {
	peace, cancel := context.WithTimeout(ctx, busyGrace)
	defer cancel()
	err := retryBusy(peace, func() error { return detach(peace, m.point, false) })
	if err == nil {
		return nil
	}
	if err = detach(ctx, m.point, true); err == nil {
		return nil
	}
	if cut := abort(m.minor); cut != nil {
		return errors.Join(err, cut)
	}
	return detach(ctx, m.point, true)
}

// retryBusy calls f until it succeeds, fails for good, or ctx ends.
func retryBusy(ctx context.Context, f func() error) error {
	tick := time.NewTicker(busyRetry)
	defer tick.Stop()
	for {
		err := f()
		if err == nil || !errors.Is(err, unix.EBUSY) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

// detach unmounts point; lazily also if it is busy.
func detach(ctx context.Context, point string, lazy bool) error {
	if os.Geteuid() != 0 {
		return fusermount(ctx, point, lazy)
	}
	flags := unix.UMOUNT_NOFOLLOW
	if lazy {
		flags |= unix.MNT_DETACH
	}
	return unix.Unmount(point, flags)
}

// fusermount unmounts for users, who may not do it themselves.
func fusermount(ctx context.Context, point string, lazy bool) error {
	args := []string{"-u"}
	if lazy {
		args = append(args, "-z")
	}
	cmd := exec.CommandContext(ctx, "fusermount3", append(args, "--", point)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.WaitDelay = toolGrace
	out, err := cmd.CombinedOutput()
	switch {
	case err == nil:
		return nil
	case strings.Contains(string(out), "busy"):
		// All that fusermount3 tells of the errno is its text.
		err = unix.EBUSY
	}
	return fmt.Errorf("fusermount3: %w: %s", err, strings.TrimSpace(string(out)))
}
