package materialize_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	. "cosafs/materialize"
)

// failing is work that counts its runs and fails with the class.
func failing(class Class, runs *int) Work {
	return work("k", func(context.Context, *Task) (Result, error) {
		*runs++
		return Result{}, Fail(class, "compose", "do this", errors.New("because"))
	})
}

func TestFailureIsRememberedUntilItExpires(t *testing.T) {
	for _, tt := range []struct {
		class Class
		want  []time.Duration // from one attempt to the next
	}{
		{ClassConfig, []time.Duration{time.Hour, time.Hour}},
		{ClassNetwork, []time.Duration{10 * time.Second, 20 * time.Second, 40 * time.Second,
			80 * time.Second, 160 * time.Second, 300 * time.Second, 300 * time.Second}},
	} {
		t.Run(string(tt.class), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRunner(t, "", nil)
				runs := 0
				var got []time.Duration
				last := time.Now()
				_, first := r.Do(t.Context(), failing(tt.class, &runs), 0)
				for len(got) < len(tt.want) {
					<-time.After(time.Second)
					before := runs
					if _, err := r.Do(t.Context(), failing(tt.class, &runs), 0); err.Error() != first.Error() {
						t.Fatalf("error = %v, want the first one: %v", err, first)
					}
					if runs > before {
						got = append(got, time.Since(last))
						last = time.Now()
					}
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("time between attempts (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestRetryForgets(t *testing.T) {
	r := newRunner(t, "", nil)
	inner, outer := 0, 0
	w := work("outer", func(ctx context.Context, _ *Task) (Result, error) {
		outer++
		return r.Do(ctx, failing(ClassConfig, &inner), 0)
	})
	_, err := r.Do(t.Context(), w, 0)
	var job *JobError
	if !errors.As(err, &job) || job.Key != "outer" {
		t.Fatalf("Do = %v, want the outer job's error", err)
	}
	if _, err := r.Do(t.Context(), w, 0); err == nil || outer != 1 {
		t.Fatalf("second Do = %v after %d runs, want the remembered failure", err, outer)
	}
	if err := r.Retry(job.Job); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Do(t.Context(), w, 0); err == nil || outer != 2 || inner != 2 {
		t.Errorf("after Retry: outer ran %d times, inner %d; want both twice", outer, inner)
	}
	if err := r.Retry("0000000000z"); err == nil {
		t.Error("Retry of an unknown job gave no error")
	}
}

func TestSuccessForgetsAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRunner(t, "", nil)
		runs := 0
		_, _ = r.Do(t.Context(), failing(ClassVM, &runs), 0) // its failure is the point
		<-time.After(time.Minute)
		if _, err := r.Do(t.Context(), work("k", func(context.Context, *Task) (Result, error) { return Result{}, nil }), 0); err != nil {
			t.Fatal(err)
		}
		if rec, ok := r.Memory().Failure("k"); ok {
			t.Errorf("after a success there is %+v", rec)
		}
	})
}

func TestFileMemory(t *testing.T) {
	dir := t.TempDir()
	m := openMemory(t, dir)
	rec := FailureRecord{Job: "j", Class: ClassVM, Op: "o", Message: "m", Hint: "h", Time: time.Now().UTC(),
		Until: time.Now().UTC(), Attempt: 3, Causes: []string{"c"}}
	if err := m.PutFailure("key", rec); err != nil {
		t.Fatal(err)
	}
	if err := m.PutSize("next/x86_64/qemu any string", 1<<40); err != nil {
		t.Fatal(err)
	}
	m = openMemory(t, dir)
	if got, ok := m.Failure("key"); !ok || !cmp.Equal(got, rec) {
		t.Errorf("Failure = %+v, %v; want %+v", got, ok, rec)
	}
	if size, ok := m.Size("next/x86_64/qemu any string"); !ok || size != 1<<40 {
		t.Errorf("Size = %d, %v", size, ok)
	}
	if size, ok := m.Size("other"); ok {
		t.Errorf("Size of what was not recorded = %d", size)
	}
	for range 2 {
		if err := m.ClearFailure("key"); err != nil {
			t.Errorf("ClearFailure = %v", err)
		}
	}
	if _, ok := m.Failure("key"); ok {
		t.Error("a cleared failure is still there")
	}
}

func TestFileMemoryDropsDamage(t *testing.T) {
	dir := t.TempDir()
	m := openMemory(t, dir)
	if err := errors.Join(m.PutFailure("key", FailureRecord{}), m.PutSize("key", 7)); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.json"))
	if err != nil || len(files) != 2 {
		t.Fatalf("files = %v, %v", files, err)
	}
	for i, f := range files {
		if err := os.WriteFile(f, []byte(fmt.Sprint("{", i)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok := m.Failure("key"); ok {
		t.Error("a damaged failure was believed")
	}
	if _, ok := m.Size("key"); ok {
		t.Error("a damaged size was believed")
	}
	if err := m.PutSize("key", 8); err != nil {
		t.Fatal(err)
	}
	if size, ok := m.Size("key"); !ok || size != 8 {
		t.Errorf("Size after the damage was mended = %d, %v", size, ok)
	}
}

func TestFileMemorySweepsOldFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		m := openMemory(t, dir)
		if err := m.PutFailure("key", FailureRecord{Until: time.Now()}); err != nil {
			t.Fatal(err)
		}
		<-time.After(23 * time.Hour)
		if _, ok := openMemory(t, dir).Failure("key"); !ok {
			t.Error("the number of attempts was forgotten within a day")
		}
		<-time.After(2 * time.Hour)
		if _, ok := openMemory(t, dir).Failure("key"); ok {
			t.Error("an old failure was kept")
		}
	})
}

func openMemory(t *testing.T, dir string) *FileMemory {
	t.Helper()
	m, err := OpenFileMemory(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
