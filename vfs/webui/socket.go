package webui

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxSocketPath is the longest path of a unix socket in bytes: sun_path of
// unix(7) less its final zero.
const maxSocketPath = 107

// A Runtime says where this user's sockets may lie.
type Runtime struct {
	// Dirs are candidates, best first. The daemon listens in the first that
	// serves; clients look in all of them, because their environment need not
	// be the daemon's.
	Dirs []string
	// UID owns the directories and may connect.
	UID int
}

// RuntimeOf gives the usual places of a user: $XDG_RUNTIME_DIR/cosafs,
// /run/user/<uid>/cosafs, for root /run/cosafs, and last /tmp/cosafs-<uid>.
func RuntimeOf(uid int, xdgRuntimeDir string) Runtime {
	id := strconv.Itoa(uid)
	var dirs []string
	if filepath.IsAbs(xdgRuntimeDir) {
		dirs = append(dirs, filepath.Join(xdgRuntimeDir, "cosafs"))
	}
	dirs = append(dirs, filepath.Join("/run/user", id, "cosafs"))
	if uid == 0 {
		dirs = append(dirs, "/run/cosafs")
	}
	return Runtime{Dirs: append(dirs, "/tmp/cosafs-"+id), UID: uid}
}

// socketName is the file name of a workdir's socket.
func socketName(workdir string) (string, error) {
	abs, err := filepath.Abs(workdir)
	if err != nil {
		return "", fmt.Errorf("find workdir: %w", err)
	}
	if abs, err = filepath.EvalSymlinks(abs); err != nil {
		return "", fmt.Errorf("find workdir: %w", err)
	}
	sum := sha256.Sum256([]byte(abs))
	return hex.EncodeToString(sum[:8]) + ".sock", nil
}

// Dial gives a client of the daemon that serves workdir, and its answer to
// Status. Where there is none it is [ErrNoDaemon].
func (r Runtime) Dial(ctx context.Context, workdir string) (*Client, Status, error) {
	name, err := socketName(workdir)
	if err != nil {
		return nil, Status{}, err
	}
	for _, dir := range r.Dirs {
		path := filepath.Join(dir, name)
		if len(path) > maxSocketPath || r.check(dir) != nil {
			continue
		}
		c := NewClient(path)
		st, err := c.Status(ctx)
		if err == nil {
			return c, st, nil
		}
		c.Close()
		if !errors.Is(err, ErrNoDaemon) {
			return nil, Status{}, err
		}
	}
	return nil, Status{}, ErrNoDaemon
}

// Sockets lists the sockets of all daemons of this user, dead ones too.
func (r Runtime) Sockets() []string {
	var found []string
	for _, dir := range r.Dirs {
		if r.check(dir) != nil {
			continue // not ours, or not there
		}
		// The pattern is constant, so Glob cannot fail.
		paths, _ := filepath.Glob(filepath.Join(dir, "*.sock"))
		found = append(found, paths...)
	}
	return found
}

// Listen makes workdir's socket, mode 0600, in the first directory that
// serves, and gives a listener that accepts only r.UID and root. The caller
// holds the build directory's daemon lock; so a socket that lies there is of a
// dead daemon, and is replaced. Closing the listener deletes the socket.
func (r Runtime) Listen(ctx context.Context, workdir string) (net.Listener, error) {
	name, err := socketName(workdir)
	if err != nil {
		return nil, err
	}
	var tried []error
	for _, dir := range r.Dirs {
		l, err := r.listenIn(ctx, dir, name)
		if err == nil {
			return l, nil
		}
		tried = append(tried, err)
	}
	return nil, fmt.Errorf("no directory for the daemon's socket: %w", errors.Join(tried...))
}

// listenIn makes the socket in one directory.
func (r Runtime) listenIn(ctx context.Context, dir, name string) (net.Listener, error) {
	path := filepath.Join(dir, name)
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("%s: longer than %d bytes: %w", path, maxSocketPath, fs.ErrInvalid)
	}
	// Only the last element is ours to make: a missing /run/user/<uid> says
	// that this user has no session, not that we should invent one.
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make socket directory: %w", err)
	}
	if err := r.check(dir); err != nil {
		return nil, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("remove dead socket: %w", err)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	// The directory's 0700 guards the moment between the two calls.
	if err := os.Chmod(path, 0o600); err != nil {
		_ = l.Close() // the chmod's error is the one to tell
		return nil, fmt.Errorf("protect socket: %w", err)
	}
	return &peerListener{Listener: l, uid: r.UID}, nil
}

// check refuses a socket directory that somebody else could have made or can
// write to: /tmp is open to all.
func (r Runtime) check(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("look at socket directory: %w", err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || int(st.Uid) != r.UID || info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s: must be a directory of uid %d with mode 0700: %w", dir, r.UID, fs.ErrPermission)
	}
	return nil
}

// A peerListener accepts connections of one user and of root only.
type peerListener struct {
	net.Listener
	uid int
}

// Accept waits for the next connection of somebody who may. Others are closed
// without a word.
func (l *peerListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if uid, err := peerUID(conn); err == nil && (uid == l.uid || uid == 0) {
			return conn, nil
		}
		_ = conn.Close() // a stranger gets no answer
	}
}

// peerUID is the user at the other end, as the kernel noted it at connect:
// SO_PEERCRED of unix(7).
func peerUID(conn net.Conn) (int, error) {
	uc, ok := conn.(*net.UnixConn)
	if !ok {
		return 0, fmt.Errorf("%T: %w", conn, errors.ErrUnsupported)
	}
	raw, err := uc.SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("ask peer: %w", err)
	}
	var cred *unix.Ucred
	var credErr error
	err = raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err := errors.Join(err, credErr); err != nil {
		return 0, fmt.Errorf("ask peer: %w", err)
	}
	return int(cred.Uid), nil
}
