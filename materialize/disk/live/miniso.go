package live

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	minisoFile = "coreos/miniso.dat"
	// minisoSize is the room for what makes a smaller ISO of this one, in bytes: as cosa
	// leaves it.
	minisoSize = 16 << 10
	// installer is the program of a system, which may have no other.
	installer = "usr/bin/coreos-installer"
)

// findInstaller gives the folder of the system that has a coreos-installer; "" if none has.
func (m *maker) findInstaller() (string, error) {
	found, err := filepath.Glob(filepath.Join(m.root, "ostree/deploy/*/deploy/*.0"))
	if err != nil || len(found) != 1 {
		return "", errors.Join(err, fmt.Errorf("%d deployments, want one", len(found)))
	}
	_, err = os.Lstat(filepath.Join(found[0], installer))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return found[0], err
}

// minimal has the system's coreos-installer note in the ISO what sets it apart from one
// without the root, which "iso extract minimal-iso" then makes of it. It compares the two:
// all files are the same but for the root's, and the note itself.
func (m *maker) minimal(ctx context.Context) error {
	if m.installer == "" {
		return nil
	}
	spare := filepath.Join(m.temp, "rootfs.img")
	if err := errors.Join(os.Rename(m.in(rootFile), spare), os.Remove(m.in(minisoFile))); err != nil {
		return err
	}
	if err := m.writeISO(ctx, filepath.Join(m.installer, "run/minimal.iso")); err != nil {
		return err
	}
	if err := os.Rename(spare, m.in(rootFile)); err != nil {
		return err
	}
	return m.inSystem(ctx, "pack", "minimal-iso", "/run/live.iso", "/run/minimal.iso", "--consume")
}

// inSystem runs coreos-installer where it lies, in its system's laid out files, and has the
// ISO there for that time. What is done there is in no image: those are packed by now.
func (m *maker) inSystem(ctx context.Context, args ...string) error {
	inside := filepath.Join(m.installer, "run/live.iso")
	if err := os.Rename(m.files().ISO, inside); err != nil {
		return err
	}
	args = append([]string{"TMPDIR=/run", "chroot", m.installer, "/" + installer}, args...)
	if err := m.Run(ctx, "env", args...); err != nil {
		return err
	}
	return os.Rename(inside, m.files().ISO)
}
