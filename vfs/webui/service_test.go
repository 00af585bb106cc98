package webui_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cosafs/materialize"
	"cosafs/vfs/webui"
)

// both runs the case on the service itself and through the socket.
func both(t *testing.T, run func(t *testing.T, s webui.Service, f *fake)) {
	t.Helper()
	t.Run("direct", func(t *testing.T) {
		f := newFake()
		run(t, f, f)
	})
	t.Run("socket", func(t *testing.T) {
		f := newFake()
		run(t, dial(t, f), f)
	})
}

// dial serves s on a socket until the test ends, and gives its client.
func dial(t *testing.T, s webui.Service) *webui.Client {
	t.Helper()
	rt, workdir := runtime(t), t.TempDir()
	l, err := rt.Listen(t.Context(), workdir)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: webui.Local(webui.Handler(s))}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	t.Cleanup(func() {
		_ = srv.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
	})
	c, _, err := rt.Dial(t.Context(), workdir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestServiceAnswers(t *testing.T) {
	both(t, func(t *testing.T, s webui.Service, _ *fake) {
		t.Helper()
		ctx, ref := t.Context(), newFake()
		same(t, "Status", first(ref.Status(ctx)), first(s.Status(ctx)))
		same(t, "Builds", first(ref.Builds(ctx)), first(s.Builds(ctx)))
		same(t, "Show", first(ref.Show(ctx, "41.1", "x86_64")), first(s.Show(ctx, "41.1", "x86_64")))
		same(t, "Plan", first(ref.Plan(ctx, "next/a b?c/d")), first(s.Plan(ctx, "next/a b?c/d")))
		same(t, "Jobs", first(ref.Jobs(ctx)), first(s.Jobs(ctx)))
		same(t, "Materialise", first(ref.Materialise(ctx, "x", nil)), first(s.Materialise(ctx, "x", nil)))
		prune := webui.PruneRequest{Keep: 2, Builds: []string{"a"}, Dry: true}
		same(t, "Prune", first(ref.Prune(ctx, prune)), first(s.Prune(ctx, prune)))
	})
}

func TestServiceTakesArguments(t *testing.T) {
	both(t, func(t *testing.T, s webui.Service, f *fake) {
		t.Helper()
		ctx := t.Context()
		ok(t, s.Cancel(ctx, "odd/id"))
		ok(t, s.Retry(ctx, "next/x86_64/qemu.qcow2"))
		ok(t, s.Tag(ctx, "stable", "41.1"))
		ok(t, s.Untag(ctx, "stable"))
		if err := s.Untag(ctx, "stable"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("second Untag: %v, want fs.ErrNotExist", err)
		}
		want := []string{"cancel odd/id", "retry next/x86_64/qemu.qcow2", "tag stable 41.1", "untag stable"}
		same(t, "calls", want, f.calls())
	})
}

func TestBuildTellsEventsThenResult(t *testing.T) {
	both(t, func(t *testing.T, s webui.Service, f *fake) {
		t.Helper()
		var got []float64
		req := webui.BuildRequest{Force: true, Version: "41.2", Kinds: []string{"qemu", "metal"}}
		res, err := s.Build(t.Context(), req, func(e materialize.Event) { got = append(got, e.Fraction) })
		ok(t, err)
		same(t, "events", []float64{0, 1. / 3, 2. / 3}, got)
		same(t, "result", first(newFake().Build(t.Context(), req, nil)), res)
		if _, err := s.Build(t.Context(), req, nil); err != nil {
			t.Errorf("without a listener: %v", err)
		}
		if len(f.calls()) != 2 {
			t.Errorf("calls %v", f.calls())
		}
	})
}

func TestLogKeepsBytes(t *testing.T) {
	both(t, func(t *testing.T, s webui.Service, _ *fake) {
		t.Helper()
		var b bytes.Buffer
		ok(t, s.Log(t.Context(), "j", true, &b))
		same(t, "log", "one\ntwo\xff\n", b.String())
	})
}

func TestErrorsKeepClassHintAndSentinel(t *testing.T) {
	cause := materialize.Fail(materialize.ClassSpace, "write disk", "free 3 GiB", fs.ErrPermission)
	calls := map[string]func(context.Context, webui.Service) error{
		"plain":  func(ctx context.Context, s webui.Service) error { return s.Cancel(ctx, "j") },
		"answer": func(ctx context.Context, s webui.Service) error { _, err := s.Plan(ctx, "p"); return err },
		"after events": func(ctx context.Context, s webui.Service) error {
			_, err := s.Build(ctx, webui.BuildRequest{}, func(materialize.Event) {})
			return err
		},
		"before events": func(ctx context.Context, s webui.Service) error {
			_, err := s.Materialise(ctx, "p", nil)
			return err
		},
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, s webui.Service, f *fake) {
				t.Helper()
				f.fail = cause
				err := call(t.Context(), s)
				class, hint := materialize.ClassOf(err)
				if class != materialize.ClassSpace || hint != "free 3 GiB" || !errors.Is(err, fs.ErrPermission) {
					t.Errorf("err %v, class %q, hint %q", err, class, hint)
				}
				if err.Error() != cause.Error() {
					t.Errorf("text %q, want %q", err, cause)
				}
			})
		})
	}
}

func TestClientGoneCancelsRequest(t *testing.T) {
	both(t, func(t *testing.T, s webui.Service, f *fake) {
		t.Helper()
		f.block = true
		ctx, cancel := context.WithCancel(t.Context())
		got := make(chan error, 1)
		go func() {
			_, err := s.Materialise(ctx, "p", nil)
			got <- err
		}()
		<-f.entered
		cancel()
		if err := <-got; !errors.Is(err, context.Canceled) {
			t.Errorf("Materialise: %v, want context.Canceled", err)
		}
		<-f.ended // the service's ctx ended, too
	})
}

func TestMountsOnlyWhereOffered(t *testing.T) {
	f := newFake()
	c := dial(t, mounter{f})
	req := webui.MountRequest{Dir: "/mnt", AllowOther: true}
	ok(t, c.Mount(t.Context(), req))
	ok(t, c.Unmount(t.Context(), "/mnt"))
	if got := f.calls(); !slices.Contains(got, "unmount /mnt") || !strings.Contains(got[0], "/mnt AllowOther:true") {
		t.Errorf("calls %q", got)
	}
	if err := dial(t, newFake()).Mount(t.Context(), req); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("Mount where the service mounts nothing: %v, want fs.ErrInvalid", err)
	}
}

func same[T any](t *testing.T, what string, want, got T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func first[T any](v T, err error) T {
	if err != nil {
		panic(err) // the fake does not fail unless told to
	}
	return v
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}
