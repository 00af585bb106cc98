package reload_test

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cosafs/cmd/internal/reload"
)

// A fixture is a value of one file, and how often it was read.
type fixture struct {
	*reload.Value[string]
	path  string
	reads atomic.Int64
	ahead atomic.Int64
	log   strings.Builder
}

func open(t *testing.T, text string) *fixture {
	t.Helper()
	f := &fixture{path: filepath.Join(t.TempDir(), "file")}
	f.put(t, text)
	start := time.Now()
	cfg := reload.Config{
		Paths: []string{f.path}, Logger: slog.New(slog.NewTextHandler(&f.log, nil)),
		Now: func() time.Time { return start.Add(time.Duration(f.ahead.Load())) },
	}
	v, err := reload.Open(cfg, f.read)
	if err != nil {
		t.Fatal(err)
	}
	f.Value = v
	return f
}

// read takes any text but "broken".
func (f *fixture) read() (string, error) {
	f.reads.Add(1)
	data, err := os.ReadFile(f.path)
	if err == nil && string(data) == "broken" {
		err = errors.New("it is broken")
	}
	return string(data), err
}

func (f *fixture) put(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(f.path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) want(t *testing.T, text string, reads int64) {
	t.Helper()
	if got := f.Get(); got != text || f.reads.Load() != reads {
		t.Errorf("%q after %d readings, want %q after %d", got, f.reads.Load(), text, reads)
	}
}

func TestReadsWhatChangedOnceASecond(t *testing.T) {
	f := open(t, "a")
	f.want(t, "a", 1)
	f.put(t, "bb")
	f.ahead.Add(int64(reload.Interval) - 1)
	f.want(t, "a", 1)
	f.ahead.Add(1)
	f.want(t, "bb", 2)
	f.put(t, "ccc")
	f.want(t, "bb", 2)
	f.ahead.Add(int64(time.Hour))
	f.want(t, "ccc", 3)
	for range 3 {
		f.ahead.Add(int64(time.Hour))
		f.want(t, "ccc", 3)
	}
	if strings.Contains(f.log.String(), "ccc") || !strings.Contains(f.log.String(), f.path) {
		t.Errorf("the log says %q", f.log.String())
	}
}

func TestBrokenFileIsReadOnce(t *testing.T) {
	f := open(t, "a")
	f.put(t, "broken")
	for range 3 {
		f.ahead.Add(int64(reload.Interval))
		f.want(t, "a", 2)
	}
	if n := strings.Count(f.log.String(), "it is broken"); n != 1 {
		t.Errorf("%d times in the log", n)
	}
	// Mended by chmod alone, which sets neither size nor mtime.
	if err := os.Chmod(f.path, 0o640); err != nil {
		t.Fatal(err)
	}
	f.ahead.Add(int64(reload.Interval))
	f.want(t, "a", 3)
}

// A file of the same size and time that takes the place of another is another.
func TestReplacedFileOfSameSizeAndTime(t *testing.T) {
	f := open(t, "a")
	info, err := os.Stat(f.path)
	if err != nil {
		t.Fatal(err)
	}
	next := f.path + ".next"
	if err := errors.Join(os.WriteFile(next, []byte("b"), 0o600), os.Chtimes(next, info.ModTime(), info.ModTime()), os.Rename(next, f.path)); err != nil {
		t.Fatal(err)
	}
	f.ahead.Add(int64(reload.Interval))
	f.want(t, "b", 2)
}

func TestOpenFails(t *testing.T) {
	wrong := errors.New("wrong")
	v, err := reload.Open(reload.Config{}, func() (int, error) { return 0, wrong })
	if v != nil || !errors.Is(err, wrong) {
		t.Errorf("%v, %v", v, err)
	}
}

// Of many callers one looks.
func TestManyCallers(t *testing.T) {
	f := open(t, "a")
	for range 20 {
		f.put(t, f.Get()+"a")
		f.ahead.Add(int64(reload.Interval))
		before := f.reads.Load()
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() { _ = f.Get() })
		}
		wg.Wait()
		if got := f.reads.Load() - before; got != 1 {
			t.Errorf("%d readings of one change", got)
		}
	}
}
