package fetch_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"cosafs/cmd/internal/fetch"
	"cosafs/index"
	"cosafs/materialize"
)

func force(o *fetch.Options) { o.Force = true }

// list reads the place's builds.json: its builds with their architectures.
func (p place) list() []string {
	p.t.Helper()
	list, err := index.ParseBuilds(p.read("builds/builds.json"))
	if err != nil {
		p.t.Fatal(err)
	}
	var all []string
	for _, e := range list.Entries() {
		for _, a := range e.Arches {
			all = append(all, string(e.ID)+" "+string(a))
		}
	}
	for _, tag := range list.Tags() {
		all = append(all, "tag "+tag.Name)
	}
	return all
}

func TestFetchKeepsWhatOnlyThisListHas(t *testing.T) {
	r := newRemote(t)
	r.add("1.1", x86, map[string][]byte{"qemu": []byte("q")})
	const local = `{"schema-version": "1.0.0", "builds": [{"id": "2.0", "arches": ["x86_64"]}, {"id": "1.1", "arches": ["x86_64", "aarch64"]}],
		"tags": [{"name": "mine", "created": "2025-01-02T03:04:05Z", "target": "2.0"}]}`
	p := newPlace(t)
	p.write("builds/builds.json", []byte(local))
	p.write("builds/2.0/x86_64/meta.json", []byte(`{"buildid": "2.0"}`))
	_, err := p.fetch(r, nil)
	if _, hint := materialize.ClassOf(err); !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), "2.0") || !strings.Contains(hint, "--force") {
		t.Errorf("a list with a build of its own: %v; want it named", err)
	}
	if string(p.read("builds/builds.json")) != local || p.has("1.1") {
		t.Error("something was changed all the same")
	}
	rep := p.mustFetch(r, force)
	if got, want := p.list(), []string{"2.0 x86_64", "1.1 x86_64", "1.1 aarch64", "tag mine"}; !slices.Equal(got, want) || len(rep.Notes) != 1 {
		t.Errorf("the list has %q, notes %q; want %q", got, rep.Notes, want)
	}
	if latest, err := os.Readlink(p.path("builds/latest")); err != nil || latest != "2.0" {
		t.Errorf("latest -> %s, %v; want the first of the list that is here", latest, err)
	}
	// cosa, too, refuses from here on.
	if bytes.Equal(p.read("builds/builds.json"), p.read("tmp/builds-source.json")) {
		t.Error("the list passes for the store's")
	}
}

func TestFetchRefusesAChangedList(t *testing.T) {
	r := newRemote(t)
	r.add("1.1", x86, map[string][]byte{"qemu": []byte("q")})
	p := newPlace(t)
	p.mustFetch(r, nil)
	p.write("builds/builds.json", append(p.read("builds/builds.json"), '\n'))
	r.add("1.2", x86, map[string][]byte{"qemu": []byte("q")})
	if _, err := p.fetch(r, nil); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a list that was changed here: %v", err)
	}
	p.mustFetch(r, force)
	if got := p.list(); !slices.Equal(got, []string{"1.2 x86_64", "1.1 x86_64"}) {
		t.Errorf("the list has %q", got)
	}
	p.mustFetch(r, nil) // it is the store's list again
}

// The store's list moves on, and drops a build that is here.
func TestFetchTellsOfDroppedBuilds(t *testing.T) {
	r := newRemote(t)
	r.add("1.1", x86, map[string][]byte{"qemu": []byte("q")})
	p := newPlace(t)
	p.mustFetch(r, nil)
	r.list["builds"] = []any{}
	r.add("1.2", x86, map[string][]byte{"qemu": []byte("q")})
	rep := p.mustFetch(r, nil)
	if len(rep.Notes) != 1 || !strings.Contains(rep.Notes[0], "1.1") || !p.has("1.1") || !slices.Equal(p.list(), []string{"1.2 x86_64"}) {
		t.Errorf("list %q, notes %q; want a word about 1.1", p.list(), rep.Notes)
	}
}

// A process that died between builds.json and cosa's copy of it changed nothing
// of its own accord.
func TestFetchAfterDeathBetweenLists(t *testing.T) {
	r := newRemote(t)
	r.add("1.1", x86, map[string][]byte{"qemu": []byte("q")})
	p := newPlace(t)
	p.mustFetch(r, nil)
	r.add("1.2", x86, map[string][]byte{"qemu": []byte("q")})
	list, err := r.document("builds.json")
	if err != nil {
		t.Fatal(err)
	}
	p.write("tmp/cosafs/fetch/builds.json", list)
	p.write("builds/builds.json", list)
	r.add("1.3", x86, map[string][]byte{"qemu": []byte("q")})
	if _, err := p.fetch(r, nil); err != nil {
		t.Errorf("the next fetch: %v", err)
	}
	p.nothingLeft()
}

func TestFetchRefusesLists(t *testing.T) {
	for name, c := range map[string]struct{ local, remote string }{
		"damaged here":         {`{"builds": [`, ""},
		"damaged in the store": {"", `{"builds": [`},
		"from before 2019":     {"", `{"builds": ["1.1"]}`},
		"of another era":       {"", `{"schema-version": "2.0", "builds": []}`},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRemote(t)
			r.add("1.1", x86, map[string][]byte{"qemu": []byte("q")})
			p := newPlace(t)
			p.t = t
			if c.local != "" {
				p.write("builds/builds.json", []byte(c.local))
			}
			if c.remote != "" {
				r.put("builds.json", []byte(c.remote))
			}
			_, err := p.fetch(r, nil)
			if _, hint := materialize.ClassOf(err); err == nil || hint == "" || p.has("1.1") {
				t.Errorf("%v, hint %q", err, hint)
			}
		})
	}
}

func (p place) image(kind string) index.Image {
	p.t.Helper()
	m, err := index.ParseMeta(p.read("builds/1.1/x86_64/meta.json"))
	if err != nil {
		p.t.Fatal(err)
	}
	im, ok := m.Image(index.Kind(kind))
	if !ok {
		p.t.Fatalf("%s is not recorded", kind)
	}
	return im
}

// put a meta.json into the place's build 1.1.
func (p place) meta(images map[string][]byte, change func(map[string]any)) {
	p.t.Helper()
	m := metaOf("1.1", x86, images)
	if change != nil {
		change(m)
	}
	data, err := json.MarshalIndent(m, "", "    ")
	if err != nil {
		p.t.Fatal(err)
	}
	p.write("builds/1.1/x86_64/meta.json", data)
}

// What was made here, and what the store got since, are both there afterwards.
func TestFetchMergesMeta(t *testing.T) {
	r := newRemote(t)
	r.add("1.1", x86, map[string][]byte{"qemu": []byte("q"), "metal": []byte("m")})
	for _, stamp := range []int{1, 1000, 2000} { // older, as old, newer than the store's
		p := newPlace(t)
		p.write("builds/1.1/x86_64/"+file("1.1", "azure"), []byte("made here"))
		p.meta(map[string][]byte{"azure": []byte("made here")}, func(m map[string]any) { m["coreos-assembler.meta-stamp"] = stamp })
		rep := p.mustFetch(r, nil)
		for _, kind := range []string{"azure", "qemu", "metal"} {
			p.image(kind)
		}
		if len(rep.Notes) != 1 || !slices.Contains(rep.Fetched, "1.1/x86_64/meta.json") {
			t.Errorf("report %+v; want a word about meta.json", rep)
		}
		before := p.read("builds/1.1/x86_64/meta.json")
		if again := p.mustFetch(r, nil); len(again.Notes) != 0 || !bytes.Equal(before, p.read("builds/1.1/x86_64/meta.json")) {
			t.Errorf("stamp %d: the second fetch changes meta.json again: %+v", stamp, again)
		}
	}
}

// An image that was compressed here is as good as the store's.
func TestFetchKeepsImagesOfThisPlace(t *testing.T) {
	r := newRemote(t)
	r.add("1.1", x86, map[string][]byte{"qemu": []byte("q")})
	p := newPlace(t)
	p.meta(nil, func(m map[string]any) {
		m["coreos-assembler.meta-stamp"] = 500 // cosa compress leaves the stamp as it is
		m["images"] = map[string]any{"qemu": map[string]any{"path": "q.gz", "sha256": sum([]byte("packed")), "size": 6, "uncompressed-sha256": sum([]byte("q"))}}
	})
	p.write("builds/1.1/x86_64/q.gz", []byte("packed"))
	rep := p.mustFetch(r, nil)
	if p.has("1.1/x86_64/"+file("1.1", "qemu")) || !slices.Contains(rep.Skipped, "1.1/x86_64/q.gz") || p.image("qemu").Path != "q.gz" {
		t.Errorf("report %+v; want the compressed image to stay", rep)
	}
	p.mustFetch(r, force)
	if im := p.image("qemu"); !p.has("1.1/x86_64/"+file("1.1", "qemu")) || im.Path != file("1.1", "qemu") || im.UncompressedSHA256 != "" {
		t.Errorf("with Force the record is %+v; want the store's", im)
	}
}

// A record of other bytes, whose file isn't here, is nobody's to overrule.
func TestFetchRefusesAnotherRecord(t *testing.T) {
	r := newRemote(t)
	r.add("1.1", x86, map[string][]byte{"qemu": []byte("q")})
	p := newPlace(t)
	p.meta(map[string][]byte{"qemu": []byte("another")}, func(m map[string]any) { m["coreos-assembler.meta-stamp"] = 2000 })
	if _, err := p.fetch(r, nil); !errors.Is(err, fs.ErrExist) || p.has("builds.json") {
		t.Errorf("another record: %v", err)
	}
	p.meta(map[string][]byte{"qemu": []byte("q")}, func(m map[string]any) { m["ostree-commit"] = sum([]byte("another")) })
	if _, err := p.fetch(r, force); !errors.Is(err, index.ErrConflict) || p.has("builds.json") {
		t.Errorf("another build of the same id: %v", err)
	}
	p.write("builds/1.1/x86_64/meta.json", []byte("{"))
	if _, err := p.fetch(r, nil); !errors.Is(err, index.ErrSyntax) {
		t.Errorf("a damaged meta.json: %v", err)
	}
}

// cosa leaves a download in place whose sha256 is wrong.
func TestFetchMendsDamage(t *testing.T) {
	r := newRemote(t)
	r.add("1.1", x86, map[string][]byte{"qemu": []byte("right")})
	name := "builds/1.1/x86_64/" + file("1.1", "qemu")
	for _, wrong := range []string{"wrong", "short", "much longer"} {
		p := newPlace(t)
		p.mustFetch(r, nil)
		if err := os.Remove(p.path(name)); err != nil {
			t.Fatal(err)
		}
		p.write(name, []byte(wrong))
		rep := p.mustFetch(r, nil)
		if string(p.read(name)) != "right" || len(rep.Notes) != 1 {
			t.Errorf("%s: %+v", wrong, rep)
		}
		p.nothingLeft()
	}
	// The same name, but this meta.json says nothing of it.
	p := newPlace(t)
	p.meta(map[string][]byte{"metal": nil}, nil)
	p.write(name, []byte("unknown"))
	if _, err := p.fetch(r, nil); !errors.Is(err, fs.ErrExist) || string(p.read(name)) != "unknown" {
		t.Errorf("a file that nobody recorded: %v", err)
	}
	p.mustFetch(r, force)
	if string(p.read(name)) != "right" {
		t.Error("Force did not replace it")
	}
}
