package stream_test

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"cosafs/backend"
	"cosafs/backend/backendtest"
	"cosafs/backend/memstore"
	"cosafs/materialize"
	"cosafs/vfs/webui"
)

func TestBuildsAndShow(t *testing.T) {
	w := newWorld(t)
	w.build("1.0", x86, qemu(random(1, 1000)))
	w.build("2.0", arm, qemu(random(2, 1000)))
	if err := w.list.SetTag("good", "1.0", time.Now()); err != nil {
		t.Fatal(err)
	}
	w.put("builds.json", w.list.Bytes())
	tr := open(t, w.Store)
	tr.sync()
	builds, err := tr.Builds(t.Context())
	if err != nil || len(builds) != 2 || builds[0].ID != "2.0" || builds[0].Arch != arm || builds[1].Arch != x86 {
		t.Fatalf("Builds = %+v, %v; want both, newest first", builds, err)
	}
	if b := builds[1]; len(b.Tags) != 1 || b.Tags[0] != "good" || b.Version != "1.0" || len(b.Artifacts) != 1 || b.Artifacts[0].Kind != "qemu" || b.Local {
		t.Errorf("Builds[1] = %+v", b)
	}
	b, err := tr.Show(t.Context(), "latest", "")
	if err != nil || b.ID != "2.0" || b.Arch != arm || b.Commit != digest([]byte("2.0"+arm)) {
		t.Errorf("Show(latest) = %+v, %v", b, err)
	}
	if _, err := tr.Show(t.Context(), "9.9", ""); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Show of no build: %v", err)
	}
	if b, err := tr.Show(t.Context(), "2.0", x86); err != nil || !strings.Contains(b.Problem, "nothing for x86_64") {
		t.Errorf("Show of no architecture = %+v, %v; want the problem", b, err)
	}
}

// Before a store answered there is nothing to show, and the reason is told.
func TestNothingKnownYet(t *testing.T) {
	broken := backendtest.Faulty(&memstore.Store{}, backendtest.Fault{Op: backendtest.Stat, Err: fs.ErrPermission})
	tr := open(t, broken)
	if err := tr.Sync(t.Context(), nil); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("Sync: %v", err)
	}
	if _, err := tr.Builds(t.Context()); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("Builds: %v; want the refusal", err)
	}
	if _, err := tr.Show(t.Context(), "latest", ""); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("Show: %v; want the refusal", err)
	}
}

func TestMaterialise(t *testing.T) {
	raw := random(1, 300_000)
	w := newWorld(t)
	w.build("1.0", x86, packed(t, "gz", raw), image{kind: "metal", data: random(2, 300_000)})
	tr := open(t, w.Store)
	tr.sync()
	for path, want := range map[string][]byte{"latest/x86_64/qemu.qcow2": raw, "metal": random(2, 300_000), "1.0/metal4k": nil} {
		var told []materialize.Event
		res, err := tr.Materialise(t.Context(), path, func(e materialize.Event) { told = append(told, e) })
		if want == nil {
			if !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("Materialise(%s) = %+v, %v; want ErrNotExist", path, res, err)
			}
			continue
		}
		if err != nil || res.Build != "1.0" || res.Size != int64(len(want)) || len(told) == 0 {
			t.Errorf("Materialise(%s) = %+v, %v after %d events", path, res, err, len(told))
			continue
		}
		if got, err := os.ReadFile(res.Path); err != nil || digest(got) != digest(want) {
			t.Errorf("%s is at %q: %d bytes, %v", path, res.Path, len(got), err)
		}
	}
}

func TestPlan(t *testing.T) {
	w, up := newWorld(t), newWorld(t)
	w.build("1.0", x86, packed(t, "gz", random(1, 1000)), image{kind: "metal", data: random(2, 1000)})
	up.build("1.0", x86, qemu(random(3, 1000)))
	store, counts := backendtest.Counting(w.Store)
	tr := open(t, store, up.Store)
	tr.sync()
	asked := calls(counts)
	plan := func(path string) materialize.Plan {
		t.Helper()
		p, err := tr.Plan(t.Context(), path)
		if err != nil {
			t.Fatalf("Plan(%s): %v", path, err)
		}
		return p
	}
	p := plan("latest/x86_64/qemu.qcow2")
	if p.State != materialize.StateRemote || len(p.Steps) != 3 || p.Steps[1].Do != "unpack" || p.Steps[1].Done {
		t.Errorf("plan of what is compressed = %+v", p)
	}
	if last := p.Steps[2]; last.What != "mem://s1" || !strings.Contains(last.Why, "mem://s0 comes first") {
		t.Errorf("the plan says of the other store %+v", last)
	}
	if calls(counts) != asked {
		t.Error("planning asked the store")
	}
	tr.want("latest/x86_64/metal.raw", random(2, 1000))
	tr.wantCached("latest/x86_64/metal.raw")
	if p := plan("metal"); p.State != materialize.StateCached || p.Target.String() != "1.0/x86_64/metal" || !p.Steps[0].Done {
		t.Errorf("plan of what is cached = %+v", p)
	}
	for _, path := range []string{"next/x86_64/qemu.qcow2", "1.0/x86_64/nonsense", "a/b/c/d", "9.9/x86_64/qemu", "1.0/s390x/qemu"} {
		if p, err := tr.Plan(t.Context(), path); err == nil {
			t.Errorf("Plan(%s) = %+v; want an error", path, p)
		} else if _, hint := materialize.ClassOf(err); hint == "" {
			t.Errorf("Plan(%s): %v has no hint", path, err)
		}
	}
}

func TestWhatNeedsABuildDirectory(t *testing.T) {
	tr := open(t, &memstore.Store{})
	_, build := tr.Build(t.Context(), webui.BuildRequest{}, nil)
	_, prune := tr.Prune(t.Context(), webui.PruneRequest{})
	for _, err := range []error{build, prune, tr.Tag(t.Context(), "a", "b"), tr.Untag(t.Context(), "a")} {
		if _, hint := materialize.ClassOf(err); !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(hint, "cosafs init") {
			t.Errorf("%v with hint %q; want that there is no build directory", err, hint)
		}
	}
}

func TestPin(t *testing.T) {
	for _, wrap := range []func(backend.Store) backend.Store{
		func(s backend.Store) backend.Store { return s },
		func(s backend.Store) backend.Store { return noList{s} },
	} {
		w := newWorld(t)
		w.build("1.0", x86, qemu(random(1, 100_000)))
		w.build("1.0", arm, qemu(random(2, 100_000)))
		tr := open(t, wrap(w.Store))
		tr.sync()
		tr.want("1.0/x86_64/qemu.qcow2", random(1, 100_000))
		tr.want("1.0/aarch64/qemu.qcow2", random(2, 100_000))
		pinned := func(want int64) {
			t.Helper()
			st, err := tr.Status(t.Context())
			if err != nil || st.Cache.Pinned/1000 != want/1000 {
				t.Errorf("Status = %+v, %v; want %d bytes pinned", st.Cache, err, want)
			}
		}
		for _, c := range []struct {
			path   string
			pinned bool
			want   int64
		}{
			{"latest/x86_64/qemu.qcow2", true, 100_000},
			{"1.0", true, 200_000},
			{"1.0/aarch64", false, 100_000},
			{"1.0", false, 0},
		} {
			if err := tr.Pin(t.Context(), c.path, c.pinned); err != nil {
				t.Errorf("Pin(%s): %v", c.path, err)
			}
			pinned(c.want)
		}
		if err := tr.Pin(t.Context(), "9.9/x86_64/qemu.qcow2", true); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Pin of no build: %v", err)
		}
	}
}

func TestFind(t *testing.T) {
	w, up := newWorld(t), newWorld(t)
	up.build("1.0", x86, qemu(random(1, 1000)))
	up.build("2.0", x86, qemu(random(2, 1000)), image{kind: "metal", data: random(3, 1000), absent: true})
	w.build("2.0", x86, qemu(random(4, 1000)))
	w.build("3.0", x86, qemu(random(5, 1000)))
	w.build("3.0", arm)
	tr := open(t, w.Store, up.Store)
	tr.sync()
	tr.want("1.0/x86_64/qemu.qcow2", random(1, 1000))
	tr.wantCached("1.0/x86_64/qemu.qcow2")
	for _, c := range []struct {
		name string
		req  webui.FindRequest
		want string // builds with their stores
	}{
		{"all of an architecture", webui.FindRequest{Arch: x86}, "3.0 mem://s0, 2.0 mem://s0, 1.0 mem://s1"},
		{"a kind", webui.FindRequest{Kind: "metal"}, ""}, // the store that has it comes second
		{"a state", webui.FindRequest{Kind: "qemu", State: materialize.StateCached}, "1.0 mem://s1"},
		{"the newest", webui.FindRequest{Kind: "qemu", Limit: 1}, "3.0 mem://s0"},
		{"the oldest", webui.FindRequest{Kind: "qemu", Oldest: true}, "1.0 mem://s1"},
		{"a package", webui.FindRequest{Package: "kernel", Arch: x86}, "3.0 mem://s0, 2.0 mem://s0, 1.0 mem://s1"},
		{"no package", webui.FindRequest{Package: "emacs"}, ""},
	} {
		found, err := tr.Find(t.Context(), c.req, nil)
		var got []string
		for _, f := range found {
			got = append(got, f.Build+" "+f.Source)
		}
		if err != nil || strings.Join(got, ", ") != c.want {
			t.Errorf("%s: %q, %v; want %q", c.name, got, err, c.want)
		}
	}
	found, err := tr.Find(t.Context(), webui.FindRequest{Package: "kernel", ID: "3.0"}, nil)
	if err != nil || len(found) == 0 || len(found[0].Packages) != 1 || found[0].Packages[0].Version != "3.0" {
		t.Errorf("Find = %+v, %v; want the package that matched", found, err)
	}
}

func TestDiff(t *testing.T) {
	w := newWorld(t)
	w.build("1.0", x86, qemu(random(1, 1000)), image{kind: "metal", data: random(2, 1000)}, image{kind: "aws", data: random(9, 10)})
	w.build("2.0", x86, qemu(random(3, 1000)), image{kind: "openstack", data: random(4, 1000)}, image{kind: "aws", data: random(9, 10)})
	tr := open(t, w.Store)
	tr.sync()
	d, err := tr.Diff(t.Context(), webui.DiffRequest{A: "1.0", B: "latest"})
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, a := range d.Artifacts {
		kinds = append(kinds, a.Kind)
	}
	if strings.Join(kinds, " ") != "metal openstack qemu" || d.Artifacts[0].New != nil || d.Artifacts[1].Old != nil || d.Artifacts[2].Old == nil {
		t.Errorf("artifacts differ so: %+v", d.Artifacts)
	}
	if len(d.Packages) != 1 || d.Packages[0].Name != "kernel" || d.Unknown != "" {
		t.Errorf("packages differ so: %+v %s", d.Packages, d.Unknown)
	}
	if len(d.Meta) == 0 || d.A.Build != "1.0" || d.B.Build != "2.0" {
		t.Errorf("Diff = %+v", d)
	}
	w.remove("1.0/x86_64/commitmeta.json")
	tr2 := open(t, w.Store)
	tr2.sync()
	if d, err := tr2.Diff(t.Context(), webui.DiffRequest{A: "1.0", B: "2.0"}); err != nil || d.Unknown == "" || len(d.Artifacts) != 3 {
		t.Errorf("Diff without packages = %+v, %v; want why they are unknown", d, err)
	}
	if _, err := tr.Diff(t.Context(), webui.DiffRequest{A: "1.0", B: "9.9"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Diff with no build: %v", err)
	}
}
