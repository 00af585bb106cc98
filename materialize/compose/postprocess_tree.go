package compose

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"syscall"
)

// foldTopLevel makes links of /bin, /sbin and /lib*: a deployment has its
// programs in /usr only. It comes first, so that overlays for both spellings
// land in one place.
func foldTopLevel(_ context.Context, root *os.Root) error {
	for _, name := range []string{"bin", "sbin", "lib", "lib64"} {
		info, err := root.Lstat(name)
		if err == nil && info.IsDir() {
			if err := mergeInto(root, name, "usr/"+name); err != nil {
				return err
			}
		} else if err == nil {
			continue // a link already
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if _, err := root.Lstat("usr/" + name); err != nil {
			continue // such as lib64 on a 32-bit machine
		}
		if err := root.Symlink("usr/"+name, name); err != nil {
			return err
		}
	}
	return nil
}

// mergeInto moves what is in a directory into another, and removes it.
func mergeInto(root *os.Root, from, to string) error {
	if _, err := root.Lstat(to); errors.Is(err, fs.ErrNotExist) {
		return root.Rename(from, to)
	}
	entries, err := fs.ReadDir(root.FS(), from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		source, target := path.Join(from, e.Name()), path.Join(to, e.Name())
		info, err := root.Lstat(target)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			err = root.Rename(source, target)
		case err == nil && e.IsDir() && info.IsDir():
			err = mergeInto(root, source, target)
		case err == nil:
			err = fmt.Errorf("/%s and /%s both exist: %w", source, target, fs.ErrExist)
		}
		if err != nil {
			return err
		}
	}
	return root.Remove(from)
}

// finish gives the tree the form of an OSTree deployment
// (ostreedev.github.io/ostree/adapting-existing).
func (c *composition) finish(_ context.Context, root *os.Root) error {
	for _, name := range []string{
		// dnf makes the first two in every installroot; the others are of this machine.
		"etc/dnf/modules.d", "etc/dnf", "etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-", "etc/.pwd.lock",
		"var/cache/ldconfig", rpmdbPath + "/.rpm.lock", "usr/etc",
	} {
		if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) && !isNotEmpty(err) {
			return err
		}
	}
	for _, step := range []func(*os.Root) error{c.machineID, packageDatabase, movable, c.emptyVar, c.mountPoints} {
		if err := step(root); err != nil {
			return err
		}
	}
	return root.Rename("etc", "usr/etc")
}

// isNotEmpty says that a directory could not be removed since something is in it.
func isNotEmpty(err error) bool {
	return errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, syscall.EEXIST)
}

// machineID leaves the id to the first boot: an empty file, which systemd can
// mount over even while /etc is read-only, unless the manifest wants none.
func (c *composition) machineID(root *os.Root) error {
	if c.tf.MachineidCompat {
		return writeTreeFile(root, "etc/machine-id", nil, 0o444)
	}
	if err := root.Remove("etc/machine-id"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// packageDatabase tells the tree's own rpm where its database is.
func packageDatabase(root *os.Root) error {
	macros := []byte("%_dbpath /" + rpmdbPath + "\n")
	if err := writeTreeFile(root, "usr/lib/rpm/macros.d/macros.rpm-ostree", macros, 0o644); err != nil {
		return err
	}
	if err := root.MkdirAll("usr/lib/sysimage", 0o755); err != nil {
		return err
	}
	if err := root.RemoveAll("usr/lib/sysimage/rpm"); err != nil {
		return err
	}
	return root.Symlink("../../share/rpm", "usr/lib/sysimage/rpm")
}

// movable makes links of the directories that belong to the machine: what
// packages have in them becomes the initial content of /var.
func movable(root *os.Root) error {
	for _, m := range [][2]string{
		{"home", "var/home"}, {"root", "var/roothome"}, {"opt", "var/opt"}, {"srv", "var/srv"}, {"mnt", "var/mnt"},
		{"usr/local", "../var/usrlocal"}, {"media", "run/media"},
	} {
		name, target := m[0], m[1]
		info, err := root.Lstat(name)
		if err == nil && info.IsDir() {
			inner := path.Join(path.Dir(name), target)
			if err := root.MkdirAll(path.Dir(inner), 0o755); err != nil {
				return err
			}
			if err := mergeInto(root, name, inner); err != nil {
				return err
			}
		} else if err == nil {
			continue // a link, which the package means
		}
		if err := root.Symlink(target, name); err != nil {
			return err
		}
	}
	return nil
}

// mountPoints leaves only the empty directories that the system mounts
// something on, and links to the physical root.
func (c *composition) mountPoints(root *os.Root) error {
	for _, name := range []string{"boot", "dev", "proc", "run", "sys", "sysroot", "tmp", "ostree"} {
		if err := root.RemoveAll(name); err != nil {
			return err
		}
	}
	for _, name := range []string{"boot", "dev", "proc", "run", "sys", "sysroot"} {
		if err := root.Mkdir(name, 0o755); err != nil {
			return err
		}
		if err := root.Chmod(name, 0o755); err != nil {
			return err
		}
	}
	if err := root.Symlink("sysroot/ostree", "ostree"); err != nil {
		return err
	}
	if !c.tf.TmpIsDir {
		return root.Symlink("sysroot/tmp", "tmp")
	}
	if err := root.Mkdir("tmp", 0o755); err != nil {
		return err
	}
	return root.Chmod("tmp", 0o777|fs.ModeSticky)
}
