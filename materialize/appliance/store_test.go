package appliance

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestPruneKeepsNewest(t *testing.T) {
	dir := t.TempDir()
	oldest, older, newest := strings.Repeat("a", keyLen), strings.Repeat("b", keyLen), strings.Repeat("c", keyLen)
	for i, name := range []string{oldest, older, newest, building + "1", "somebody else's"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Join(path, "d"), 0o755); err != nil {
			t.Fatal(err)
		}
		at := time.Unix(int64(1000*i), 0)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	if err := touch(filepath.Join(dir, oldest)); err != nil { // it was used just now
		t.Fatal(err)
	}
	if err := prune(dir, 2); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, e := range entries {
		left = append(left, e.Name())
	}
	if want := []string{oldest, newest, "somebody else's"}; !slices.Equal(left, want) {
		t.Errorf("left %v, want %v", left, want)
	}
}

func TestLockWaitsForCtx(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := lock(ctx, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("second lock: got %v, want the end of ctx", err)
	}
	unlock()
	unlock, err = lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}

func TestRecall(t *testing.T) {
	asked := probe{Boot: "b", QEMU: "q", Kernel: "k"}
	tests := []struct {
		name     string
		question probe
		known    bool
	}{
		{"same", asked, true},
		{"after a reboot", probe{Boot: "c", QEMU: "q", Kernel: "k"}, false},
		{"other qemu", probe{Boot: "b", QEMU: "r", Kernel: "k"}, false},
		{"other kernel", probe{Boot: "b", QEMU: "q", Kernel: "l"}, false},
	}
	for _, works := range []bool{true, false} {
		a := &Appliance{memory: filepath.Join(t.TempDir(), "kvm.json")}
		if _, known := a.recall(asked); known {
			t.Error("known before it was found out")
		}
		if err := a.remember(asked, works); err != nil {
			t.Fatal(err)
		}
		for _, tt := range tests {
			got, known := a.recall(tt.question)
			if known != tt.known || known && got != works {
				t.Errorf("%s: got %v, known %v; want %v, known %v", tt.name, got, known, works, tt.known)
			}
		}
		if err := os.WriteFile(a.memory, []byte("{"), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, known := a.recall(asked); known {
			t.Error("known from a torn file")
		}
	}
}
