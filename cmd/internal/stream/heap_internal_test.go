package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path"
	"runtime"
	"strings"
	"testing"
	"time"

	"cosafs/backend"
)

// A huge store has many builds, each made up when it is asked for.
type huge struct {
	builds int
	arches []string
}

func (h huge) id(i int) string { return fmt.Sprintf("41.2025%06d.dev.0", i) }

func (h huge) content(key backend.Key) (string, bool) {
	if key == listFile {
		var b strings.Builder
		b.WriteString(`{"schema-version": "1.0.0", "builds": [`)
		for i := range h.builds {
			fmt.Fprintf(&b, `{"id": %q, "arches": ["%s"]},`, h.id(h.builds-i), strings.Join(h.arches, `", "`))
		}
		return strings.TrimSuffix(b.String(), ",") + "]}", true
	}
	id, arch, _ := strings.Cut(string(key.Dir()), "/")
	switch {
	case path.Base(string(key)) == "meta.json":
		return fmt.Sprintf(`{"buildid": %q, "name": "fcos", "ostree-version": %[1]q, "coreos-assembler.basearch": %q,
			"images": {"qemu": {"path": "fcos-%[1]s-qemu.%[2]s.qcow2", "sha256": "00", "size": 4}}}`, id, arch), true
	case strings.HasSuffix(string(key), ".qcow2"):
		return "qemu", true
	}
	return "", false
}

func (h huge) Stat(_ context.Context, key backend.Key) (backend.Info, error) {
	text, ok := h.content(key)
	if !ok {
		return backend.Info{}, fs.ErrNotExist
	}
	return backend.Info{Key: key, Size: int64(len(text)), Version: "1", ModTime: time.Unix(1, 0)}, nil
}

func (h huge) Open(ctx context.Context, key backend.Key, _ backend.Range, _ string) (io.ReadCloser, error) {
	text, ok := h.content(key)
	if !ok {
		return nil, fs.ErrNotExist
	}
	return backend.NewBody(ctx, io.NopCloser(strings.NewReader(text)), backend.ToEnd), nil
}

func (h huge) List(context.Context, backend.Key) iter.Seq2[backend.Info, error] {
	return func(yield func(backend.Info, error) bool) { yield(backend.Info{}, errors.ErrUnsupported) }
}

// Walk implements [backend.Walker].
func (h huge) Walk(ctx context.Context, id backend.Key) iter.Seq2[backend.Info, error] {
	return func(yield func(backend.Info, error) bool) {
		for _, arch := range h.arches {
			for _, name := range []string{"fcos-" + string(id) + "-qemu." + arch + ".qcow2", "meta.json"} {
				if info, err := h.Stat(ctx, id.Join(arch).Join(name)); !yield(info, err) {
					return
				}
			}
		}
	}
}

func (h huge) Properties() backend.Properties { return backend.Properties{Ranges: true, Lists: true} }
func (h huge) Close() error                   { return nil }

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// The tree of ten thousand builds for four architectures costs a few MB.
func TestHeapOfManyBuilds(t *testing.T) {
	if underRace {
		t.Skip("the race detector makes it ten times slower: make test runs it without")
	}
	if testing.Short() {
		t.Skip("40,000 records take a while")
	}
	store := huge{builds: 10_000, arches: []string{"aarch64", "ppc64le", "s390x", "x86_64"}}
	s, err := Open(t.Context(), Config{Dir: t.TempDir(), Arch: "x86_64", Sources: []Source{{Name: "huge", Store: store}}})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := s.Sync(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	t.Logf("sync took %v", time.Since(began))
	snap := s.Library().Snapshot()
	if n := len(snap.Builds); n != 10_000 || len(snap.Builds[0].Arches) != 4 {
		t.Fatalf("%d builds", n)
	}
	if files, err := snap.Builds[5000].Arches[2].Files(); err != nil || len(files) != 2 || files[0].Kind != "qemu" {
		t.Errorf("files = %+v, %v", files, err)
	}
	runtime.KeepAlive(snap)
	with := heap()
	s.publish(emptyFacts())
	without := heap()
	if cost := int64(with) - int64(without); cost > 12<<20 {
		t.Errorf("the tree takes %d KiB; want a few MB", cost>>10)
	} else {
		t.Logf("the tree takes %d KiB", cost>>10)
	}
	if err := s.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}
