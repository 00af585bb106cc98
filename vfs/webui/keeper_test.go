package webui_test

import (
	"context"
	"errors"
	"io/fs"
	"testing"
	"time"

	"cosafs/materialize"
	"cosafs/vfs/webui"
)

// keeper is a fake that keeps an index and a cache, too.
type keeper struct{ *fake }

func (k keeper) Find(_ context.Context, req webui.FindRequest, tell func(materialize.Event)) ([]webui.Found, error) {
	tell(materialize.Event{Phase: "fetch package lists", Fraction: 0.5})
	found := []webui.Found{{Build: "41.1", Arch: "x86_64", Time: time.Unix(7, 0).UTC(), Packages: []materialize.Package{{Name: req.Package, Epoch: "0"}}}}
	return found, k.note("find %+v", req)
}

func (k keeper) Diff(_ context.Context, req webui.DiffRequest) (webui.Diff, error) {
	d := webui.Diff{Packages: []webui.PackageChange{{Name: "kernel", Old: "1-1.x86_64", New: "2-1.x86_64"}}}
	return d, k.note("diff %s %s", req.A, req.B)
}

func (k keeper) Sync(_ context.Context, tell func(materialize.Event)) error {
	tell(materialize.Event{Phase: "s3://b/p"})
	return k.note("sync")
}

func (k keeper) Pin(_ context.Context, path string, pinned bool) error {
	return k.note("pin %s %v", path, pinned)
}

func TestKeeper(t *testing.T) {
	f := newFake()
	c := dial(t, keeper{f})
	var phases []string
	tell := func(e materialize.Event) { phases = append(phases, e.Phase) }
	req := webui.FindRequest{Package: "bash", After: time.Unix(1, 0).UTC(), Oldest: true}
	found, err := c.Find(t.Context(), req, tell)
	ok(t, err)
	same(t, "found", first(keeper{newFake()}.Find(t.Context(), req, func(materialize.Event) {})), found)
	diff, err := c.Diff(t.Context(), webui.DiffRequest{A: "1", B: "2"})
	ok(t, err)
	same(t, "packages", []webui.PackageChange{{Name: "kernel", Old: "1-1.x86_64", New: "2-1.x86_64"}}, diff.Packages)
	ok(t, c.Sync(t.Context(), tell))
	ok(t, c.Pin(t.Context(), "latest/x86_64/qemu.qcow2", true))
	same(t, "events", []string{"fetch package lists", "s3://b/p"}, phases)
	same(t, "last calls", []string{"diff 1 2", "sync", "pin latest/x86_64/qemu.qcow2 true"}, f.calls()[1:])
	f.fail = materialize.Fail(materialize.ClassNetwork, "ask s3://b/p", "check the credentials", fs.ErrPermission)
	if err := c.Sync(t.Context(), nil); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("Sync: %v; want the store's refusal", err)
	}
}

// A service that keeps nothing says so.
func TestKeepingOnlyWhereOffered(t *testing.T) {
	c := dial(t, newFake())
	if _, err := c.Diff(t.Context(), webui.DiffRequest{}); err == nil {
		t.Error("Diff of a service without an index succeeded")
	}
}

// compressor is a fake that compresses, too.
type compressor struct{ *fake }

func (c compressor) Compress(_ context.Context, req webui.CompressRequest, tell func(materialize.Event)) ([]webui.Compressed, error) {
	tell(materialize.Event{Phase: "compress"})
	return []webui.Compressed{{Build: "41.2", Kind: "metal", Size: 3, Before: 7}}, c.note("compress %+v", req)
}

func TestCompressor(t *testing.T) {
	f := newFake()
	c := dial(t, compressor{f})
	var phases []string
	req := webui.CompressRequest{Builds: []string{"41.2"}, Kinds: []string{"metal"}, Compressor: "xz", Fast: true}
	done, err := c.Compress(t.Context(), req, func(e materialize.Event) { phases = append(phases, e.Phase) })
	ok(t, err)
	same(t, "done", []webui.Compressed{{Build: "41.2", Kind: "metal", Size: 3, Before: 7}}, done)
	same(t, "events", []string{"compress"}, phases)
	same(t, "calls", []string{"compress {Builds:[41.2] Kinds:[metal] Compressor:xz Fast:true Uncompress:false}"}, f.calls())
	f.fail = fs.ErrPermission
	if _, err := c.Compress(t.Context(), req, nil); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("Compress: %v; want the refusal", err)
	}
	if _, err := dial(t, newFake()).Compress(t.Context(), req, nil); err == nil {
		t.Error("a service that can't compress did")
	}
}

// remaker is a fake that makes things again, too.
type remaker struct{ *fake }

func (m remaker) Remake(_ context.Context, path string, tell func(materialize.Event)) (materialize.Result, error) {
	tell(materialize.Event{Phase: "again"})
	return materialize.Result{Build: "41.2", Size: 3, Same: true}, m.note("remake %s", path)
}

func TestRemaker(t *testing.T) {
	f := newFake()
	c := dial(t, remaker{f})
	var phases []string
	done, err := c.Remake(t.Context(), "41.2/metal", func(e materialize.Event) { phases = append(phases, e.Phase) })
	ok(t, err)
	same(t, "done", materialize.Result{Build: "41.2", Size: 3, Same: true}, done)
	same(t, "events", []string{"again"}, phases)
	same(t, "calls", []string{"remake 41.2/metal"}, f.calls())
	f.fail = fs.ErrPermission
	if _, err := c.Remake(t.Context(), "41.2/metal", nil); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("Remake: %v; want the refusal", err)
	}
	if _, err := dial(t, newFake()).Remake(t.Context(), "41.2/metal", nil); err == nil {
		t.Error("a service that makes nothing again did")
	}
}
