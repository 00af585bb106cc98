package compose

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"cosafs/materialize"
)

// enter is the shell script that gives the tree $1 what programs in it expect,
// and runs the rest of its arguments. It runs in a mount namespace of its own,
// so that nothing has to be unmounted, whatever happens.
const enter = `set -e
root=$1
shift
mkdir -p "$root/proc" "$root/dev" "$root/run" "$root/tmp"
mount -t proc proc "$root/proc" 2>/dev/null || mount --rbind /proc "$root/proc"
mount -t tmpfs -o mode=755,nosuid dev "$root/dev"
for d in null zero full random urandom tty; do
	: >"$root/dev/$d"
	mount --bind "/dev/$d" "$root/dev/$d"
done
ln -s /proc/self/fd "$root/dev/fd"
mkdir "$root/dev/shm"
mount -t tmpfs -o mode=755 run "$root/run"
mount -t tmpfs -o mode=1777 tmp "$root/tmp"
exec "$@"
`

// inTree gives a command that runs a program with the tree's mounts in place.
// The program itself is not in the chroot yet. Without a network where nothing
// in the tree may depend on it.
func inTree(ctx context.Context, t *materialize.Task, root string, network bool, args ...string) *exec.Cmd {
	wrap := []string{"--mount", "--propagation", "private"}
	if !network {
		wrap = append(wrap, "--net")
	}
	wrap = append(wrap, "/bin/sh", "-c", enter, "cosafs-compose", root)
	return materialize.CommandContext(ctx, t, "unshare", append(wrap, args...)...)
}

// inChroot gives a command that runs a program of the tree, without a network.
func inChroot(ctx context.Context, t *materialize.Task, root string, args ...string) *exec.Cmd {
	return inTree(ctx, t, root, false, append([]string{"chroot", root}, args...)...)
}

// removeTree removes a tree that programs of packages may have written, with
// files that are immutable.
func removeTree(dir string) error {
	err := os.RemoveAll(dir)
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	werr := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeSymlink != 0 {
			return err
		}
		if d.IsDir() || d.Type().IsRegular() {
			return clearImmutable(name)
		}
		return nil
	})
	return errors.Join(werr, os.RemoveAll(dir))
}

// immutable are the file attributes that forbid deletion: FS_IMMUTABLE_FL and
// FS_APPEND_FL of linux/fs.h.
const immutable = 0x10 | 0x20

// clearImmutable takes the attributes away where the file system has any.
func clearImmutable(name string) error {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // was only read
	flags, err := unix.IoctlGetUint32(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	if err != nil || flags&immutable == 0 {
		return nil // a file system without attributes has none that forbid anything
	}
	return unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, int(flags&^immutable))
}
