package inflate_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"cosafs/cmd/internal/inflate"
	"cosafs/materialize"
	"cosafs/test/need"
)

func TestPlain(t *testing.T) {
	for name, want := range map[string]string{"a.qcow2.gz": "a.qcow2", "a.raw.xz": "a.raw", "a.zst": "a", "a.zip": "", "a": "", ".gz": "", "gz": ""} {
		if got, ok := inflate.Plain(name); got != want || ok != (want != "") {
			t.Errorf("Plain(%q) = %q, %v; want %q", name, got, ok, want)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	if _, err := inflate.New(t.Context(), "a.zip", strings.NewReader("")); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("zip: %v", err)
	}
	if _, err := inflate.New(t.Context(), "a.gz", strings.NewReader("not gzip at all")); err == nil {
		t.Error("garbage passed for gzip")
	}
	t.Setenv("PATH", t.TempDir())
	var f *materialize.Failure
	if _, err := inflate.New(t.Context(), "a.xz", strings.NewReader("")); !errors.As(err, &f) || f.Class != materialize.ClassTool {
		t.Errorf("no xz: %v", err)
	}
}

// Damage is an error and no early end, also for readers that ignore the last word.
func TestDamage(t *testing.T) {
	need.Tool(t, "xz")
	for _, name := range []string{"a.xz", "a.zst"} {
		r, err := inflate.New(t.Context(), name, strings.NewReader("neither xz nor zstd"))
		if err != nil {
			continue // said at once
		}
		if data, err := io.ReadAll(r); err == nil {
			t.Errorf("%s: garbage gave %q", name, data)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Closing ends a program in the middle of its work.
func TestCloseEarly(t *testing.T) {
	need.Tool(t, "xz")
	in, w := io.Pipe()
	r, err := inflate.New(t.Context(), "a.xz", in)
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan error)
	go func() { closed <- r.Close() }()
	_ = w.CloseWithError(io.ErrClosedPipe) // never fails
	if err := <-closed; err != nil {
		t.Error(err)
	}
}
