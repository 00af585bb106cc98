package remote_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"cosafs/materialize"
)

// maker opens things that have to be made first, as the tree does. What is long
// says when it has begun.
func maker(t *testing.T, begun chan<- struct{}) (*materialize.Runner, http.HandlerFunc) {
	t.Helper()
	dir := t.TempDir()
	r, err := materialize.NewRunner(materialize.RunnerConfig{
		StateDir: filepath.Join(dir, "state"), ScratchDir: filepath.Join(dir, "scratch"), VMs: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return r, func(w http.ResponseWriter, req *http.Request) {
		_, err := r.Do(req.Context(), materialize.Work{
			Key: "key" + req.URL.Path[1:], Title: "test", Target: materialize.Target{Build: materialize.Next, Arch: "x86_64", Kind: "qemu"},
			Done: func(context.Context) (materialize.Result, bool, error) { return materialize.Result{}, false, nil },
			Run: func(ctx context.Context, _ *materialize.Task) (materialize.Result, error) {
				if req.URL.Path == "/long" {
					begun <- struct{}{}
					<-ctx.Done()
				}
				return materialize.Result{}, ctx.Err()
			},
		}, 0)
		switch {
		case errors.Is(err, materialize.ErrNotAllowed):
			w.WriteHeader(http.StatusForbidden)
		case err != nil:
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, err.Error())
		}
	}
}

// Who only reads starts nothing.
func TestReadersStartNothing(t *testing.T) {
	for role, want := range map[string]int{"reader": http.StatusForbidden, "builder": http.StatusOK} {
		w := newWorld(t)
		w.cfg.Everybody = role
		_, w.doors.Files = maker(t, nil)
		w.start()
		w.get("/short", want)
	}
}

// A client that leaves may come back: its job goes on, for as long as was said.
func TestJobsLinger(t *testing.T) {
	for _, test := range []struct{ given, want time.Duration }{{0, 30 * time.Minute}, {time.Hour, time.Hour}} {
		w := newWorld(t)
		w.cfg.Linger = test.given
		begun, left := make(chan struct{}), make(chan struct{})
		runner, files := maker(t, begun)
		w.doors.Files = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			defer close(left)
			files(rw, r)
		})
		w.start()
		ctx, leave := context.WithCancel(t.Context())
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+"/long", nil)
		if err != nil {
			t.Fatal(err)
		}
		gone := make(chan error, 1)
		go func() {
			resp, err := http.DefaultTransport.RoundTrip(r)
			if err == nil {
				_ = resp.Body.Close() // it should not have come
			}
			gone <- err
		}()
		<-begun
		began := time.Now()
		leave()
		if err := <-gone; err == nil {
			t.Error("the answer came")
		}
		<-left
		job := runner.Jobs()[0]
		if rest := job.Until.Sub(began); !job.Active() || rest < test.want-time.Second || rest > test.want+time.Minute {
			t.Errorf("the job is %s and goes on for %v, want %v", job.State, rest, test.want)
		}
	}
}
