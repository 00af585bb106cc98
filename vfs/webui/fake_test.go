package webui_test

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"time"

	"cosafs/materialize"
	"cosafs/vfs/webui"
)

// fake is a Service that remembers what was asked and answers from its fields.
type fake struct {
	fail    error         // what every call answers when set
	entered chan struct{} // closed when a blocking call has started
	ended   chan struct{} // closed when the blocking call's ctx ended
	block   bool          // Materialise and Log wait for their ctx

	mu   sync.Mutex
	tags map[string]string // guarded by mu
	log  []string          // calls with their arguments; guarded by mu
}

func newFake() *fake {
	return &fake{tags: map[string]string{}, entered: make(chan struct{}), ended: make(chan struct{})}
}

func (f *fake) note(format string, args ...any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = append(f.log, fmt.Sprintf(format, args...))
	return f.fail
}

func (f *fake) calls() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.log...)
}

func (f *fake) wait(ctx context.Context) error {
	close(f.entered)
	<-ctx.Done()
	close(f.ended)
	return ctx.Err()
}

func (f *fake) Status(context.Context) (webui.Status, error) {
	return webui.Status{Version: "1", PID: 7, Workdir: "/w", Started: time.Unix(5, 0).UTC(), Jobs: []materialize.JobInfo{}}, f.fail
}

func (f *fake) Builds(context.Context) ([]webui.BuildInfo, error) {
	ref := materialize.BuildRef{ID: "41.1", Arches: []string{"x86_64"}, Local: true, Time: time.Unix(9, 0).UTC()}
	return []webui.BuildInfo{{BuildRef: ref, Problem: "meta.json is cut short"}}, f.note("builds")
}

func (f *fake) Show(_ context.Context, id, arch string) (webui.BuildInfo, error) {
	return webui.BuildInfo{BuildRef: materialize.BuildRef{ID: id}, Arch: arch}, f.note("show %s %s", id, arch)
}

func (f *fake) Plan(_ context.Context, path string) (materialize.Plan, error) {
	return materialize.Plan{Reason: "because of " + path}, f.note("plan %s", path)
}

func (f *fake) Build(_ context.Context, req webui.BuildRequest, tell func(materialize.Event)) (webui.BuildResult, error) {
	for i := range 3 {
		if tell != nil {
			tell(materialize.Event{Job: "j", Phase: "compose", Fraction: float64(i) / 3})
		}
	}
	return webui.BuildResult{ID: "41.2", New: true, Duration: time.Minute}, f.note("build %+v", req)
}

func (f *fake) Materialise(ctx context.Context, path string, _ func(materialize.Event)) (materialize.Result, error) {
	if f.block {
		return materialize.Result{}, f.wait(ctx)
	}
	return materialize.Result{Build: "41.2", Path: "/w/" + path, Size: 3}, f.note("materialise %s", path)
}

func (f *fake) Jobs(context.Context) ([]materialize.JobInfo, error) {
	return []materialize.JobInfo{{ID: "j", State: materialize.JobRunning, Fraction: -1}}, f.note("jobs")
}

func (f *fake) Log(_ context.Context, job string, follow bool, w io.Writer) error {
	if err := f.note("log %s %v", job, follow); err != nil {
		return err
	}
	_, err := w.Write([]byte("one\ntwo\xff\n")) // a log need not be UTF-8
	return err
}

func (f *fake) Cancel(_ context.Context, job string) error { return f.note("cancel %s", job) }

func (f *fake) Retry(_ context.Context, what string) error { return f.note("retry %s", what) }

func (f *fake) Prune(_ context.Context, req webui.PruneRequest) ([]materialize.BuildRef, error) {
	return []materialize.BuildRef{{ID: "40.1"}}, f.note("prune %+v", req)
}

func (f *fake) Tag(_ context.Context, name, id string) error {
	f.mu.Lock()
	f.tags[name] = id
	f.mu.Unlock()
	return f.note("tag %s %s", name, id)
}

func (f *fake) Untag(_ context.Context, name string) error {
	f.mu.Lock()
	_, known := f.tags[name]
	delete(f.tags, name)
	f.mu.Unlock()
	if !known {
		return fmt.Errorf("tag %s: %w", name, fs.ErrNotExist)
	}
	return f.note("untag %s", name)
}

// mounter is a fake that mounts, too.
type mounter struct{ *fake }

func (m mounter) Mount(_ context.Context, req webui.MountRequest) error {
	return m.note("mount %+v", req)
}

func (m mounter) Unmount(_ context.Context, dir string) error { return m.note("unmount %s", dir) }
