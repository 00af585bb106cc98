package daemon_test

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"cosafs/cmd/internal/daemon"
	"cosafs/materialize"
	"cosafs/vfs/webui"
)

// backend is a Backend with as many running jobs as it is told.
type backend struct {
	webui.Keeper     // nobody asks
	webui.Compressor // nor this
	webui.Remaker    // nor this
	webui.Service    // nil: what is not below must not be called

	mu     sync.Mutex
	jobs   int  // guarded by mu
	closed bool // guarded by mu
}

func (b *backend) Status(context.Context) (webui.Status, error) {
	return webui.Status{Version: "test"}, nil
}

func (b *backend) Jobs(context.Context) ([]materialize.JobInfo, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := []materialize.JobInfo{{ID: "old", State: materialize.JobDone}}
	for range b.jobs {
		list = append(list, materialize.JobInfo{ID: "j", State: materialize.JobRunning})
	}
	return list, nil
}

func (b *backend) set(jobs int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.jobs = jobs
}

func (b *backend) Close(context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	return nil
}

func (b *backend) isClosed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}

// mount is a Mount that is gone when its channel is closed.
type mount struct {
	gone chan struct{}
	once sync.Once
}

func (m *mount) Wait() { <-m.gone }

func (m *mount) Unmount(context.Context) error {
	m.once.Do(func() { close(m.gone) })
	return nil
}

// world is a daemon under test.
type world struct {
	cfg     daemon.Config
	backend *backend
	ready   chan struct{}
	ended   chan error

	info webui.ServeInfo // of the first door; after ready

	mu     sync.Mutex
	mounts map[string]*mount // guarded by mu
}

func newWorld(t *testing.T) *world {
	t.Helper()
	run, err := os.MkdirTemp("", "d") //nolint:usetesting // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(run) })
	w := &world{backend: &backend{}, ready: make(chan struct{}), ended: make(chan error, 1), mounts: map[string]*mount{}}
	w.cfg = daemon.Config{
		Workdir: t.TempDir(),
		Runtime: webui.Runtime{Dirs: []string{filepath.Join(run, "cosafs")}, UID: os.Getuid()},
		Open:    func(context.Context) (daemon.Backend, error) { return w.backend, nil },
		Mount:   w.mount,
		First:   &webui.MountRequest{Dir: t.TempDir()},
		Serve:   w.serve,
		Ready:   func(info webui.ServeInfo) { w.info = info; close(w.ready) },
		Logger:  slog.New(slog.DiscardHandler),
		Idle:    time.Millisecond,
	}
	return w
}

func (w *world) mount(_ context.Context, _ daemon.Backend, req webui.MountRequest) (daemon.Mount, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, err := os.Stat(req.Dir); err != nil {
		return nil, materialize.Fail(materialize.ClassConfig, "mount", "mkdir", err)
	}
	w.mounts[req.Dir] = &mount{gone: make(chan struct{})}
	return w.mounts[req.Dir], nil
}

// byHand takes a mount away as umount(8) does.
func (w *world) byHand(t *testing.T, dir string) {
	t.Helper()
	w.mu.Lock()
	m := w.mounts[dir]
	w.mu.Unlock()
	if err := m.Unmount(t.Context()); err != nil {
		t.Error(err)
	}
}

// start runs the daemon until ready, and gives a client.
func (w *world) start(t *testing.T, ctx context.Context) *webui.Client { //nolint:revive // t comes first in helpers
	t.Helper()
	go func() { w.ended <- daemon.Run(ctx, w.cfg) }()
	select {
	case <-w.ready:
	case err := <-w.ended:
		t.Fatalf("daemon ended: %v", err)
	}
	c, _, err := w.cfg.Runtime.Dial(ctx, w.cfg.Workdir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func (w *world) wait(t *testing.T) {
	t.Helper()
	if err := <-w.ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	if !w.backend.isClosed() {
		t.Error("the backend was not closed")
	}
	if _, _, err := w.cfg.Runtime.Dial(context.WithoutCancel(t.Context()), w.cfg.Workdir); !errors.Is(err, webui.ErrNoDaemon) {
		t.Errorf("Dial after the end: %v, want ErrNoDaemon", err)
	}
}

func TestDaemonEndsWithItsLastMount(t *testing.T) {
	w := newWorld(t)
	c := w.start(t, t.Context())
	second := t.TempDir()
	for range 2 { // the second time it is there already
		if err := c.Mount(t.Context(), webui.MountRequest{Dir: second}); err != nil {
			t.Fatal(err)
		}
	}
	st, err := c.Status(t.Context())
	want := []string{w.cfg.First.Dir, second}
	slices.Sort(want)
	if err != nil || !slices.Equal(st.Mounts, want) || st.PID != os.Getpid() {
		t.Errorf("Status = %+v, %v, want mounts %v", st, err, want)
	}
	if err := c.Unmount(t.Context(), w.cfg.First.Dir); err != nil {
		t.Error(err)
	}
	if err := c.Unmount(t.Context(), "/nowhere"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Unmount of another place: %v, want fs.ErrNotExist", err)
	}
	w.byHand(t, second)
	w.wait(t)
}

func TestDaemonWaitsForJobs(t *testing.T) {
	w := newWorld(t)
	w.backend.set(1)
	c := w.start(t, t.Context())
	w.byHand(t, w.cfg.First.Dir)
	// A job runs, so the daemon goes on answering without any mount.
	for st, err := c.Status(t.Context()); ; st, err = c.Status(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if len(st.Mounts) == 0 {
			break
		}
	}
	w.backend.set(0)
	w.wait(t)
}

func TestSignalUnmountsAll(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	c := w.start(t, ctx)
	if err := c.Mount(t.Context(), webui.MountRequest{Dir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	cancel()
	w.wait(t)
	for dir, m := range w.mounts {
		select {
		case <-m.gone:
		default:
			t.Errorf("%s is still mounted", dir)
		}
	}
}

func TestOneDaemonAWorkdir(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	w.start(t, ctx)
	if err := daemon.Run(t.Context(), w.cfg); !errors.Is(err, webui.ErrRunning) {
		t.Errorf("second Run: %v, want ErrRunning", err)
	}
	cancel()
	w.wait(t)
	if err := daemon.WaitEnd(t.Context(), w.cfg.Workdir); err != nil {
		t.Errorf("WaitEnd: %v", err)
	}
}

func TestFirstMountFails(t *testing.T) {
	w := newWorld(t)
	w.cfg.First.Dir = filepath.Join(t.TempDir(), "missing")
	w.ended <- daemon.Run(t.Context(), w.cfg)
	err := <-w.ended
	if _, hint := materialize.ClassOf(err); !errors.Is(err, fs.ErrNotExist) || hint == "" {
		t.Errorf("Run: %v with hint %q, want fs.ErrNotExist with one", err, hint)
	}
	if !w.backend.isClosed() {
		t.Error("the backend was not closed")
	}
}

func TestFind(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	w.start(t, ctx)
	c, st, err := daemon.Find(t.Context(), w.cfg.Runtime, w.cfg.First.Dir)
	if err != nil || st.Version != "test" {
		t.Fatalf("Find = %+v, %v", st, err)
	}
	c.Close()
	if _, _, err := daemon.Find(t.Context(), w.cfg.Runtime, "/nowhere"); !errors.Is(err, webui.ErrNoDaemon) {
		t.Errorf("Find of another place: %v, want ErrNoDaemon", err)
	}
	cancel()
	w.wait(t)
}
