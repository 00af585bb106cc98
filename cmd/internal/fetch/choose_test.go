package fetch_test

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"cosafs/cmd/internal/fetch"
	"cosafs/materialize"
)

func TestFetchChooses(t *testing.T) {
	r := newRemote(t)
	r.add("1.1", x86, nil)
	r.add("1.1", arm, nil)
	r.add("1.2", x86, nil)
	for _, c := range []struct {
		name   string
		change func(*fetch.Options)
		build  string
		arches []string
		latest string
	}{
		{"the newest", func(*fetch.Options) {}, "1.2", []string{x86}, "1.2"},
		{"the newest by name", func(o *fetch.Options) { o.Build = "1.2" }, "1.2", []string{x86}, "1.2"},
		{"latest", func(o *fetch.Options) { o.Build = "latest" }, "1.2", []string{x86}, "1.2"},
		{"an older one", func(o *fetch.Options) { o.Build = "1.1" }, "1.1", []string{x86}, ""},
		{"all architectures", func(o *fetch.Options) { o.Build, o.Arches = "1.1", []string{fetch.All} }, "1.1", []string{x86, arm}, ""},
		{"each once", func(o *fetch.Options) { o.Build, o.Arches = "1.1", []string{arm, arm} }, "1.1", []string{arm}, ""},
		{"for an architecture", func(o *fetch.Options) { o.FindBuildForArch, o.Arches = true, []string{arm} }, "1.1", []string{arm}, "1.1"},
		{"for this architecture", func(o *fetch.Options) { o.FindBuildForArch = true }, "1.2", []string{x86}, "1.2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPlace(t)
			p.t = t
			rep := p.mustFetch(r, func(o *fetch.Options) { o.Artifacts = nil; c.change(o) })
			latest, err := os.Readlink(p.path("builds/latest"))
			if errors.Is(err, fs.ErrNotExist) {
				err = nil
			}
			if rep.Build != c.build || !slices.Equal(rep.Arches, c.arches) || latest != c.latest || err != nil {
				t.Errorf("fetched %s for %v, latest -> %q, %v; want %s for %v, %q", rep.Build, rep.Arches, latest, err, c.build, c.arches, c.latest)
			}
			for _, a := range c.arches {
				if !p.has(c.build + "/" + a + "/meta.json") {
					t.Errorf("%s for %s has no meta.json", c.build, a)
				}
			}
		})
	}
}

// What a store lacks is said with what it has, and nothing is changed.
func TestFetchSaysWhatThereIs(t *testing.T) {
	r := newRemote(t)
	r.add("1.1", x86, map[string][]byte{"qemu": []byte("q"), "metal": []byte("m")})
	for _, c := range []struct {
		name   string
		change func(*fetch.Options)
		want   error
		hint   string
	}{
		{"build", func(o *fetch.Options) { o.Build = "9.9" }, fs.ErrNotExist, "1.1"},
		{"architecture", func(o *fetch.Options) { o.Arches = []string{arm} }, fs.ErrNotExist, x86},
		{"build for an architecture", func(o *fetch.Options) { o.Arches = []string{arm}; o.FindBuildForArch = true }, fs.ErrNotExist, x86},
		{"kind", func(o *fetch.Options) { o.Artifacts = []string{"qemux"} }, fs.ErrNotExist, "metal, qemu"},
		{"file", func(o *fetch.Options) { o.Files = []string{"none.json"} }, fs.ErrNotExist, ""},
		{"file elsewhere", func(o *fetch.Options) { o.Files = []string{"../meta.json"} }, fs.ErrInvalid, ""},
		{"architectures to search", func(o *fetch.Options) { o.Arches = []string{x86, arm}; o.FindBuildForArch = true }, fs.ErrInvalid, "--arch"},
		{"build to search", func(o *fetch.Options) { o.Build = "1.1"; o.FindBuildForArch = true }, fs.ErrInvalid, "--build"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPlace(t)
			p.t = t
			_, err := p.fetch(r, c.change)
			if _, hint := materialize.ClassOf(err); !errors.Is(err, c.want) || !strings.Contains(hint, c.hint) {
				t.Errorf("%v, hint %q; want %v that names %q", err, hint, c.want, c.hint)
			}
			if p.has("builds.json") || p.has("1.1") {
				t.Error("something was changed all the same")
			}
		})
	}
}

func TestFetchMoreFiles(t *testing.T) {
	r := newRemote(t)
	r.add("1.1", x86, map[string][]byte{"qemu": []byte("q")})
	r.put("1.1/x86_64/manifest-lock.generated.x86_64.json", []byte("{}"))
	p := newPlace(t)
	rep := p.mustFetch(r, func(o *fetch.Options) {
		o.Files = []string{"manifest-lock.generated.x86_64.json", file("1.1", "qemu"), "meta.json", "commitmeta.json"}
	})
	if !p.has("1.1/x86_64/manifest-lock.generated.x86_64.json") || len(rep.Fetched) != 5 {
		t.Errorf("report %+v; want the lockfile too, and each file once", rep)
	}
}

// An imported build has no ostree-commit-object. Some stores answer "forbidden"
// where nothing is; a store that is ill says nothing about what it has.
func TestFetchOptionalFiles(t *testing.T) {
	r := newRemote(t)
	r.add("1.1", x86, map[string][]byte{"qemu": []byte("q")})
	const key = "1.1/x86_64/ostree-commit-object"
	for _, c := range []struct {
		name  string
		err   error
		works bool
		notes int
	}{
		{"absent", fs.ErrNotExist, true, 0},
		{"forbidden", fs.ErrPermission, true, 1},
		{"ill", errors.New("503"), false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPlace(t)
			p.t = t
			rep, err := p.fetch(failing(r, key, c.err), nil)
			if (err == nil) != c.works || len(rep.Notes) != c.notes || c.works && (p.has(key) || !p.has("1.1/x86_64/commitmeta.json")) {
				t.Errorf("%+v, %v", rep, err)
			}
			if !c.works && p.has("1.1") {
				t.Error("the build appeared without its file")
			}
		})
	}
}

// A store may have deleted images by its policy, and says so in builds.json.
func TestFetchAllOfAPrunedBuild(t *testing.T) {
	r := newRemote(t)
	r.add("1.1", x86, map[string][]byte{"qemu": []byte("q"), "metal": []byte("m")})
	if err := r.Delete(t.Context(), "1.1/x86_64/os-1.1-metal.img", none); err != nil {
		t.Fatal(err)
	}
	all := func(o *fetch.Options) { o.Artifacts = []string{fetch.All} }
	if _, err := newPlace(t).fetch(r, all); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an image that should be there and isn't: %v", err)
	}
	r.list["builds"] = []any{map[string]any{"id": "1.1", "arches": []string{x86}, "policy-cleanup": map[string]any{"images": true, "images-kept": []string{"qemu"}}}}
	r.putJSON("builds.json", r.list)
	p := newPlace(t)
	if rep := p.mustFetch(r, all); len(rep.Notes) != 1 || !p.has("1.1/x86_64/"+file("1.1", "qemu")) {
		t.Errorf("report %+v; want qemu, and a note about metal", rep)
	}
	if _, err := newPlace(t).fetch(r, func(o *fetch.Options) { o.Artifacts = []string{"metal"} }); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a deleted image that was asked for: %v", err)
	}
}
