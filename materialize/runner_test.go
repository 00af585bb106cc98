package materialize_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"

	. "cosafs/materialize"
)

// newRunner makes a runner in a directory of its own, or in dir.
func newRunner(t *testing.T, dir string, change func(*RunnerConfig)) *Runner {
	t.Helper()
	if dir == "" {
		dir = t.TempDir()
	}
	cfg := RunnerConfig{StateDir: filepath.Join(dir, "state"), ScratchDir: filepath.Join(dir, "scratch"), VMs: 1}
	if change != nil {
		change(&cfg)
	}
	r, err := NewRunner(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return r
}

// work is a work whose result never exists beforehand.
func work(key string, run func(ctx context.Context, t *Task) (Result, error)) Work {
	return Work{
		Key: key, Title: "test", Target: Target{Build: Next, Arch: "x86_64", Kind: "qemu"}, Run: run,
		Done: func(context.Context) (Result, bool, error) { return Result{}, false, nil },
	}
}

// fileWork is done when its file is there.
func fileWork(key, path string, run func(ctx context.Context, t *Task) (Result, error)) Work {
	w := work(key, run)
	w.Done = func(context.Context) (Result, bool, error) {
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			return Result{}, false, nil
		}
		if err != nil {
			return Result{}, false, err
		}
		return Result{Path: path, Size: info.Size()}, true, nil
	}
	return w
}

func TestDoneNeedsNoJob(t *testing.T) {
	r := newRunner(t, "", nil)
	path := filepath.Join(t.TempDir(), "out")
	if err := os.WriteFile(path, []byte("12345"), 0o644); err != nil {
		t.Fatal(err)
	}
	res, err := r.Do(t.Context(), fileWork("k", path, nil), 0)
	if err != nil || res.Size != 5 {
		t.Errorf("Do of work that is done = %+v, %v; want 5 bytes", res, err)
	}
	if jobs := r.Jobs(); len(jobs) != 0 {
		t.Errorf("Do of work that is done left jobs %+v", jobs)
	}
}

func TestUnknownAbsenceStartsNothing(t *testing.T) {
	r := newRunner(t, "", nil)
	w := work("k", func(context.Context, *Task) (Result, error) {
		t.Error("work was started though its absence was not proven")
		return Result{}, nil
	})
	w.Done = func(context.Context) (Result, bool, error) { return Result{}, false, fs.ErrPermission }
	if _, err := r.Do(t.Context(), w, 0); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("Do = %v, want fs.ErrPermission", err)
	}
}

func TestHundredCallersOneRun(t *testing.T) {
	for _, fails := range []bool{false, true} {
		t.Run(fmt.Sprint("fails=", fails), func(t *testing.T) { hundredCallers(t, fails) })
	}
}

func hundredCallers(t *testing.T, fails bool) {
	t.Helper()
	r := newRunner(t, "", nil)
	path := filepath.Join(t.TempDir(), "out")
	var runs atomic.Int32
	w := fileWork("k", path, func(_ context.Context, task *Task) (Result, error) {
		runs.Add(1)
		if fails {
			return Result{}, Fail(ClassPackage, "compose", "fix it", errors.New("no such package"))
		}
		tmp := filepath.Join(task.Scratch, "out")
		return Result{Path: path, Size: 3}, errors.Join(os.WriteFile(tmp, []byte("abc"), 0o644), os.Rename(tmp, path))
	})
	results := make([]Result, 100)
	errs := make([]error, 100)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() { results[i], errs[i] = r.Do(t.Context(), w, 0) })
	}
	wg.Wait()
	if n := runs.Load(); n != 1 {
		t.Errorf("%d runs for a hundred callers, want 1", n)
	}
	for i := range results {
		if results[i] != results[0] || fmt.Sprint(errs[i]) != fmt.Sprint(errs[0]) {
			t.Errorf("caller %d got %+v, %v; caller 0 got %+v, %v", i, results[i], errs[i], results[0], errs[0])
		}
		if class, hint := ClassOf(errs[i]); fails && (class != ClassPackage || hint != "fix it") {
			t.Errorf("caller %d got class %q, hint %q", i, class, hint)
		}
	}
}

func TestScratchIsPrivateAndGoesAway(t *testing.T) {
	r := newRunner(t, "", nil)
	var scratch string
	_, err := r.Do(t.Context(), work("k", func(_ context.Context, task *Task) (Result, error) {
		scratch = task.Scratch
		info, err := os.Stat(scratch)
		if err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("scratch: mode %v, error %v; want 0700", info.Mode(), err)
		}
		locked := filepath.Join(scratch, "a", "locked")
		if err := os.MkdirAll(filepath.Join(locked, "below"), 0o755); err != nil {
			t.Error(err)
		}
		return Result{}, os.Chmod(locked, 0)
	}), 0)
	if err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(scratch); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("scratch after the job: %v, want fs.ErrNotExist", err)
	}
}

func TestPanicFailsTheJobOnly(t *testing.T) {
	r := newRunner(t, "", nil)
	_, err := r.Do(t.Context(), work("k", func(context.Context, *Task) (Result, error) { panic("oops") }), 0)
	class, hint := ClassOf(err)
	var job *JobError
	if class != ClassInternal || !errors.As(err, &job) || !strings.Contains(hint, "cosafs logs "+job.Job) {
		t.Fatalf("Do of work that panics = %v (class %q, hint %q)", err, class, hint)
	}
	log, err := r.JobFile(job.Job, "log")
	if err != nil || !strings.Contains(string(log), "oops") || !strings.Contains(string(log), "goroutine") {
		t.Errorf("log of the job, %v:\n%s\nwant the panic and its stack", err, log)
	}
}

func TestNestedWork(t *testing.T) {
	r := newRunner(t, "", nil)
	disk := work("disk", func(_ context.Context, task *Task) (Result, error) {
		task.Phase("partition", 0.5)
		return Result{Path: "/disk"}, nil
	})
	disk.VM = true
	image := work("image", func(ctx context.Context, task *Task) (Result, error) {
		return r.Do(Follow(ctx, task.Part(0.2, 0.6)), disk, 0)
	})
	var mu sync.Mutex
	told := map[string]float64{}
	ctx := Follow(t.Context(), &Task{Progress: func(phase string, fraction float64) {
		mu.Lock()
		defer mu.Unlock()
		told[phase] = fraction
	}})
	res, err := r.Do(ctx, image, 0)
	if err != nil || res.Path != "/disk" {
		t.Fatalf("Do = %+v, %v", res, err)
	}
	mu.Lock()
	defer mu.Unlock()
	if told["partition"] != 0.4 {
		t.Errorf("followed %v; want partition at 0.4, the middle of the part", told)
	}
}

func TestNestedMachinesAreRefused(t *testing.T) {
	r := newRunner(t, "", nil)
	inner := work("inner", nil)
	inner.VM = true
	outer := work("outer", func(ctx context.Context, _ *Task) (Result, error) { return r.Do(ctx, inner, 0) })
	outer.VM = true
	if _, err := r.Do(t.Context(), outer, 0); err == nil {
		t.Error("work in the only slot waited for the same slot, and got it")
	}
}

func TestSpacePreflight(t *testing.T) {
	r := newRunner(t, "", func(c *RunnerConfig) { c.Free = func(string) (int64, error) { return 1000, nil } })
	w := work("k", nil)
	w.Space = 4096
	_, err := r.Do(t.Context(), w, 0)
	if class, _ := ClassOf(err); class != ClassSpace || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Do = %v, class %q; want a ClassSpace failure around ENOSPC", err, class)
	}
	for _, want := range []string{"4096", "1000", "scratch"} {
		if !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("error %q does not name %s", err, want)
		}
	}
}

func TestFullDiskIsNamed(t *testing.T) {
	r := newRunner(t, "", nil)
	_, err := r.Do(t.Context(), work("k", func(context.Context, *Task) (Result, error) {
		return Result{}, &os.PathError{Op: "write", Path: "/x", Err: syscall.ENOSPC}
	}), 0)
	if class, _ := ClassOf(err); class != ClassSpace {
		t.Errorf("class of ENOSPC = %q, want %q", class, ClassSpace)
	}
}

func TestJobIsRemembered(t *testing.T) {
	dir := t.TempDir()
	r := newRunner(t, dir, func(c *RunnerConfig) { c.Keep = 2 })
	for i := range 4 {
		w := work(fmt.Sprint("k", i), func(_ context.Context, task *Task) (Result, error) {
			task.Phase("unpack", 0.3)
			return Result{}, nil
		})
		w.Plan = &Plan{State: StateBuildable, Reason: "it is nowhere", Steps: []Step{{Do: "compose", What: "a commit", Why: "inputs changed"}}}
		if _, err := r.Do(t.Context(), w, 0); err != nil {
			t.Fatal(err)
		}
	}
	jobs := newRunner(t, dir, nil).Jobs() // as the next process sees them
	if len(jobs) != 2 || jobs[0].Key != "k3" || jobs[1].Key != "k2" || jobs[0].State != JobDone {
		t.Fatalf("jobs = %+v; want k3 and k2, done", jobs)
	}
	for name, want := range map[string]string{"log": "== unpack", "plan": "inputs changed", "progress": `"state":"done"`} {
		if data, err := r.JobFile(jobs[0].ID, name); err != nil || !strings.Contains(string(data), want) {
			t.Errorf("file %s = %q, %v; want %q in it", name, data, err, want)
		}
	}
	for _, name := range []string{"owner", "", "../" + jobs[1].ID + "/log"} {
		if _, err := r.JobFile(jobs[0].ID, name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("file %q: %v, want fs.ErrNotExist", name, err)
		}
	}
	if _, err := r.JobFile("../jobs", "log"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("file of a job outside: %v, want fs.ErrNotExist", err)
	}
}

func TestFailedJobSaysWhy(t *testing.T) {
	r := newRunner(t, "", nil)
	_, err := r.Do(t.Context(), work("k", func(_ context.Context, task *Task) (Result, error) {
		for i := range 9 {
			task.Logf("line %d", i)
		}
		return Result{}, fmt.Errorf("qemu: %w", Fail(ClassVM, "boot", "give it memory", errors.New("killed")))
	}), 0)
	var job *JobError
	if !errors.As(err, &job) {
		t.Fatalf("Do = %v, want a JobError", err)
	}
	info, infoErr := r.Job(job.Job)
	if infoErr != nil || info.State != JobFailed || info.Class != ClassVM || info.Hint != "give it memory" || info.Error != err.Error() {
		t.Errorf("job = %+v, %v; want what Do said: %v", info, infoErr, err)
	}
	tail, err := r.LogTail(job.Job, 4)
	if err != nil || len(tail) != 4 || tail[0] != "line 7" {
		t.Errorf("tail = %q, %v; want the last four lines", tail, err)
	}
}

func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRunner(t, "", nil)
		ctx, stop := context.WithCancel(t.Context())
		slow, fast := r.Events(ctx), r.Events(ctx)
		var got []string
		var wg sync.WaitGroup
		wg.Go(func() {
			for e := range fast {
				got = append(got, e.Phase+e.Message)
			}
		})
		if _, err := r.Do(t.Context(), work("k", func(_ context.Context, task *Task) (Result, error) {
			task.Phase("first", 0)
			synctest.Wait()
			for i := range 1000 { // more than anybody keeps for a slow reader
				task.Progress("write", float64(i)/1000)
			}
			synctest.Wait()
			return Result{}, nil
		}), 0); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		stop()
		wg.Wait()
		if len(got) < 3 || got[0] != "running" || got[1] != "first" || got[len(got)-1] != "writedone" {
			t.Errorf("%d events: first %q, last %q", len(got), got[:min(2, len(got))], got[len(got)-1:])
		}
		var last Event
		for e := range slow {
			last = e
		}
		if last.Message != "done" {
			t.Errorf("last event of a slow reader = %+v, want the end", last)
		}
	})
}

func TestClose(t *testing.T) {
	r := newRunner(t, "", nil)
	started := make(chan struct{})
	errs := make(chan error)
	go func() {
		_, err := r.Do(t.Context(), work("k", func(ctx context.Context, _ *Task) (Result, error) {
			close(started)
			<-ctx.Done()
			return Result{}, ctx.Err()
		}), 0)
		errs <- err
	}()
	<-started
	if err := r.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-errs; !errors.Is(err, ErrCancelled) {
		t.Errorf("Do while the runner closed = %v, want ErrCancelled", err)
	}
	if _, err := r.Do(t.Context(), work("k", nil), 0); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Do after Close = %v, want fs.ErrClosed", err)
	}
	if _, failed := r.Memory().Failure("k"); failed {
		t.Error("the end of the process was remembered as a failure of the work")
	}
}
