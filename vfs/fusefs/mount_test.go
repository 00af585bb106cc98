package fusefs_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"

	"cosafs/test/need"
	"cosafs/vfs"
	"cosafs/vfs/fusefs"
	"cosafs/vfs/vfstest"
)

// noPassthrough is an argument of the child that serves a mount.
const noPassthrough = "no-passthrough"

// TestMain is also the child process that serves the mounts of these tests.
func TestMain(m *testing.M) {
	child, err := vfstest.Child(context.Background(), mount)
	if err != nil {
		panic(err) // the test that started the child sees it end
	}
	if !child {
		m.Run()
	}
}

func mount(ctx context.Context, dir string, tree *vfs.FS, args []string) (vfstest.Mounted, func() any, error) {
	s, err := fusefs.Mount(ctx, dir, tree, fusefs.Options{
		NoPassthrough: slices.Contains(args, noPassthrough),
		Debug:         os.Getenv("COSAFS_TEST_FUSE_DEBUG") != "",
		Logger:        slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return nil, nil, err
	}
	return mounted{s}, func() any { return s.Stats() }, nil
}

// mounted is a mount of a child, which ends after it: so it does not matter
// that only root may cut the connection to those who still use it.
type mounted struct{ *fusefs.Server }

func (m mounted) Unmount(ctx context.Context) error {
	err := m.Server.Unmount(ctx)
	if os.Geteuid() != 0 && errors.Is(err, os.ErrPermission) {
		return nil
	}
	return err
}

// start shows f at a new directory.
func start(t *testing.T, f vfstest.Fixture, args ...string) *vfstest.Remote {
	t.Helper()
	need.Tool(t, "fuse")
	return vfstest.Start(t, f, t.TempDir(), args...)
}

func TestMounted(t *testing.T) {
	for _, args := range [][]string{nil, {noPassthrough}} {
		name := strings.Join(append([]string{"default"}, args...), " ")
		t.Run(name, func(t *testing.T) { suite(t, args) })
	}
}

// suite runs vfstest's cases through mounts.
func suite(t *testing.T, args []string) {
	t.Helper()
	vfstest.Run(t, func(t *testing.T, f vfstest.Fixture) *vfstest.Harness {
		t.Helper()
		r := start(t, f, args...)
		return &vfstest.Harness{
			Access:  vfstest.Directory(r.Dir),
			Fixture: f,
			Caps:    []vfstest.Cap{vfstest.Lazy, vfstest.Xattrs, vfstest.ReadOnly},
			Control: r,
		}
	})
}

func TestMountRefusesPlaceInUse(t *testing.T) {
	r := start(t, vfstest.Default(t))
	_, err := fusefs.Mount(t.Context(), r.Dir, nil, fusefs.Options{})
	if !errors.Is(err, os.ErrExist) {
		t.Errorf("Mount on a mount: %v, want fs.ErrExist", err)
	}
}
