package live

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"cosafs/materialize"
)

const (
	minisoFile = "coreos/miniso.dat"
	// minisoSize is the room for what makes a smaller ISO of this one, in bytes: as cosa
	// leaves it.
	minisoSize = 16 << 10
)

// hasInstaller says whether the system has a coreos-installer.
func (m *maker) hasInstaller() (bool, error) {
	_, err := os.Lstat(filepath.Join(m.system, materialize.Installer))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// minimal has the system's coreos-installer note in the ISO what sets it apart from one
// without the root, which "iso extract minimal-iso" then makes of it. It compares the two:
// all files are the same but for the root's, and the note itself.
func (m *maker) minimal(ctx context.Context) error {
	if !m.installs {
		return nil
	}
	spare := filepath.Join(m.temp, "rootfs.img")
	if err := errors.Join(os.Rename(m.in(rootFile), spare), os.Remove(m.in(minisoFile))); err != nil {
		return err
	}
	if err := m.writeISO(ctx, filepath.Join(m.system, "run/minimal.iso")); err != nil {
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
	inside := filepath.Join(m.system, "run/live.iso")
	if err := os.Rename(m.files().ISO, inside); err != nil {
		return err
	}
	args = append([]string{"TMPDIR=/run", "chroot", m.system, materialize.Installer}, args...)
	if err := m.Run(ctx, "env", args...); err != nil {
		return err
	}
	return os.Rename(inside, m.files().ISO)
}
