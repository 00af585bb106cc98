package verify_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cosafs/backend"
	"cosafs/backend/backendtest"
	"cosafs/backend/dirstore"
	"cosafs/backend/memstore"
	"cosafs/cmd/internal/verify"
	"cosafs/materialize"
)

const arch = "x86_64"

func sum(data []byte) string {
	h := sha256.Sum256(data)
	return hex.EncodeToString(h[:])
}

type image struct {
	kind, path   string
	data         []byte
	sum          string // "" = that of data, "none" = not recorded
	uncompressed string
}

func put(t *testing.T, w backend.Writer, key string, data []byte) {
	t.Helper()
	src := backend.Source{ReaderAt: bytes.NewReader(data), Size: int64(len(data))}
	if _, err := w.Put(t.Context(), backend.Key(key), src, backend.Cond{}); err != nil {
		t.Fatal(err)
	}
}

func putJSON(t *testing.T, w backend.Writer, key string, v any) {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	put(t, w, key, data)
}

// fill puts a list of builds and one build with its images into a store.
func fill(t *testing.T, w backend.Writer, id string, images ...image) {
	t.Helper()
	putJSON(t, w, "builds.json", map[string]any{"schema-version": "1.0.0", "builds": []any{map[string]any{"id": id, "arches": []string{arch}}}})
	entries := map[string]any{}
	for _, im := range images {
		e := map[string]any{"path": im.path, "sha256": im.sum, "size": len(im.data)}
		switch im.sum {
		case "":
			e["sha256"] = sum(im.data)
		case "none":
			delete(e, "sha256")
		}
		if im.uncompressed != "" {
			e["uncompressed-sha256"] = im.uncompressed
		}
		entries[im.kind] = e
		put(t, w, id+"/"+arch+"/"+im.path, im.data)
	}
	putJSON(t, w, id+"/"+arch+"/meta.json", map[string]any{"buildid": id, "images": entries})
}

func run(t *testing.T, o verify.Options) verify.Report {
	t.Helper()
	r, err := verify.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// paths gives the paths of items, without their build.
func paths(items []verify.Item) string {
	var all []string
	for _, it := range items {
		all = append(all, filepath.Base(it.Path))
	}
	return strings.Join(all, " ")
}

// want checks a report by its files.
func want(t *testing.T, r verify.Report, checked, bad, gone, unknown string) {
	t.Helper()
	got := []string{paths(r.Checked), paths(r.Bad), paths(r.Gone), paths(r.Unknown)}
	if !slices.Equal(got, []string{checked, bad, gone, unknown}) {
		t.Errorf("checked, bad, gone, unknown: %q; want %q\n%+v", got, []string{checked, bad, gone, unknown}, r)
	}
	for _, it := range slices.Concat(r.Bad, r.Gone, r.Unknown) {
		if it.Problem == "" {
			t.Errorf("%s: nobody says what is wrong", it.Path)
		}
	}
}

func TestVerify(t *testing.T) {
	var s memstore.Store
	fill(t, &s, "1.1",
		image{kind: "a-good", path: "good", data: []byte("good")},
		image{kind: "b-flipped", path: "flipped", data: []byte("gOod"), sum: sum([]byte("good"))},
		image{kind: "c-short", path: "short", data: []byte("good")},
		image{kind: "d-gone", path: "gone", data: []byte("gone")},
		image{kind: "e-refused", path: "refused", data: []byte("r")},
		image{kind: "f-cut", path: "cut", data: []byte("a longer one")},
		image{kind: "g-open", path: "open", data: []byte("o"), sum: "none"},
	)
	put(t, &s, "1.1/x86_64/short", []byte("goo"))
	if err := s.Delete(t.Context(), "1.1/x86_64/gone", backend.Cond{}); err != nil {
		t.Fatal(err)
	}
	f := backendtest.Faulty(&s,
		backendtest.Fault{Op: backendtest.Stat, Key: "1.1/x86_64/refused", Err: fs.ErrPermission},
		backendtest.Fault{Op: backendtest.Open, Key: "1.1/x86_64/cut", At: 3, Err: errors.New("cut connection")},
	)
	var last materialize.Event
	r := run(t, verify.Options{Store: f, Tell: func(e materialize.Event) { last = e }})
	want(t, r, "builds.json meta.json good", "flipped short", "gone", "refused cut open")
	if r.Bad[0].Kind != "b-flipped" || r.Bad[0].Build != "1.1" || r.Bad[0].Arch != arch {
		t.Errorf("item %+v", r.Bad[0])
	}
	if last.Phase != "verify" || last.Fraction <= 0 {
		t.Errorf("the last event is %+v", last)
	}
}

// Every byte is read once, and one wrong byte anywhere is found.
func TestVerifyReadsAll(t *testing.T) {
	var s memstore.Store
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<18)
	fill(t, &s, "1.1", image{kind: "qemu", path: "q", data: data})
	counted, counts := backendtest.Counting(&s)
	r := run(t, verify.Options{Store: counted, Artifacts: []string{"qemu"}})
	want(t, r, "builds.json meta.json q", "", "", "")
	if r.Bytes != int64(len(data)) || counts.Bytes(backendtest.Open) > int64(len(data))+10_000 {
		t.Errorf("%d bytes read, %d reported", counts.Bytes(backendtest.Open), r.Bytes)
	}
	for _, at := range []int64{1, int64(len(data)) - 1} {
		f := backendtest.Faulty(&s, backendtest.Fault{Op: backendtest.Open, Key: "1.1/x86_64/q", At: at, Corrupt: true})
		want(t, run(t, verify.Options{Store: f}), "builds.json meta.json", "q", "", "")
	}
}

func TestVerifyDocuments(t *testing.T) {
	var s memstore.Store
	fill(t, &s, "1.1", image{kind: "qemu", path: "q", data: []byte("q")})
	putJSON(t, &s, "builds.json", map[string]any{"schema-version": "1.0.0", "builds": []any{
		map[string]any{"id": "1.4", "arches": []string{arch}}, map[string]any{"id": "1.3", "arches": []string{arch}},
		map[string]any{"id": "1.2", "arches": []string{arch}}, map[string]any{"id": "1.1", "arches": []string{arch}},
		map[string]any{"id": "../1.0", "arches": []string{arch}},
	}})
	put(t, &s, "1.4/x86_64/meta.json", []byte(`{"images": {`))
	put(t, &s, "1.2/x86_64/meta.json", []byte(`{"buildid": "9.9", "images": {"ostree": {"path": "../../x", "sha256": ""}}}`))
	r := run(t, verify.Options{Store: &s})
	want(t, r, "meta.json q", "builds.json meta.json meta.json x", "meta.json", "")
	if r.Gone[0].Build != "1.3" {
		t.Errorf("gone is %+v; want the meta.json of 1.3", r.Gone)
	}
	want(t, run(t, verify.Options{Store: &s, Builds: []string{"1.1", "1.1"}}), "meta.json q", "builds.json", "", "")
	want(t, run(t, verify.Options{Store: &s, Builds: []string{"latest"}}), "", "builds.json meta.json", "", "")
	want(t, run(t, verify.Options{Store: &s, Builds: []string{"1.1"}, Arches: []string{"s390x"}}), "", "builds.json", "", "")

	put(t, &s, "builds.json", []byte("{"))
	want(t, run(t, verify.Options{Store: &s}), "", "builds.json", "", "")
}

// What builds.json says was deleted is told apart from what is merely missing.
func TestVerifyDeleted(t *testing.T) {
	var s memstore.Store
	fill(t, &s, "1.1", image{kind: "qemu", path: "q", data: []byte("q")}, image{kind: "metal", path: "m", data: []byte("m")})
	putJSON(t, &s, "builds.json", map[string]any{"schema-version": "1.0.0", "builds": []any{map[string]any{
		"id": "1.1", "arches": []string{arch}, "policy-cleanup": map[string]any{"images": true, "images-kept": []string{"qemu"}},
	}}})
	for _, name := range []backend.Key{"1.1/x86_64/q", "1.1/x86_64/m"} {
		if err := s.Delete(t.Context(), name, backend.Cond{}); err != nil {
			t.Fatal(err)
		}
	}
	r := run(t, verify.Options{Store: &s})
	want(t, r, "builds.json meta.json", "", "m q", "")
	if r.Gone[0].Problem == r.Gone[1].Problem {
		t.Errorf("both are %q", r.Gone[0].Problem)
	}
}

func TestVerifyDirectories(t *testing.T) {
	dir := t.TempDir()
	builds := filepath.Join(dir, "builds")
	if err := os.Mkdir(builds, 0o755); err != nil {
		t.Fatal(err)
	}
	s, err := dirstore.Open(dirstore.Config{Dir: builds})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	fill(t, s, "1.1", image{kind: "qemu", path: "q", data: []byte("q")})
	for _, d := range []string{dir, builds} {
		want(t, run(t, verify.Options{Dir: d}), "builds.json meta.json q", "", "", "")
	}
	if _, err := verify.Run(t.Context(), verify.Options{Dir: t.TempDir()}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty directory: %v", err)
	}
	if _, err := verify.Run(t.Context(), verify.Options{Dir: filepath.Join(dir, "none")}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
}

// The form of builds.json from before 2019 has no architectures.
func TestVerifyLegacy(t *testing.T) {
	var s memstore.Store
	putJSON(t, &s, "builds.json", map[string]any{"builds": []string{"30.1"}})
	putJSON(t, &s, "30.1/meta.json", map[string]any{"buildid": "30.1", "images": map[string]any{"qemu": map[string]any{"path": "q", "sha256": sum([]byte("q")), "size": "1"}}})
	put(t, &s, "30.1/q", []byte("q"))
	want(t, run(t, verify.Options{Store: &s}), "builds.json meta.json q", "", "", "")
}

func TestVerifyRefuses(t *testing.T) {
	var s memstore.Store
	fill(t, &s, "1.1", image{kind: "qemu", path: "q", data: []byte("q")})
	for name, o := range map[string]verify.Options{
		"build":   {Builds: []string{"9.9"}},
		"kind":    {Artifacts: []string{"qemux"}},
		"keyring": {Keyring: filepath.Join(t.TempDir(), "none")},
	} {
		o.Store = &s
		_, err := verify.Run(t.Context(), o)
		if _, hint := materialize.ClassOf(err); !errors.Is(err, fs.ErrNotExist) || hint == "" {
			t.Errorf("%s: %v, hint %q", name, err, hint)
		}
	}
}

func TestVerifyStops(t *testing.T) {
	var s memstore.Store
	var images []image
	for i := range 20 {
		images = append(images, image{kind: fmt.Sprint("k", i), path: fmt.Sprint("f", i), data: []byte("data")})
	}
	fill(t, &s, "1.1", images...)
	ctx, cancel := context.WithCancel(t.Context())
	stuck := backendtest.Faulty(&s, backendtest.Fault{Op: backendtest.Open, Key: "1.1/x86_64/f3", At: 1, Wait: make(chan struct{})})
	o := verify.Options{Store: stuck, Parallel: 1, Tell: func(materialize.Event) { cancel() }}
	r, err := verify.Run(ctx, o)
	if !errors.Is(err, context.Canceled) || len(r.Checked) < 3 || len(r.Checked) > 21 || len(r.Unknown) > 0 {
		t.Errorf("%v, %+v", err, r)
	}
}

// A wrong size needs no reading.
func TestVerifySizeFirst(t *testing.T) {
	var s memstore.Store
	fill(t, &s, "1.1", image{kind: "qemu", path: "q", data: []byte("long")})
	put(t, &s, "1.1/x86_64/q", []byte("longer"))
	r := run(t, verify.Options{Store: &s})
	want(t, r, "builds.json meta.json", "q", "", "")
	if r.Bytes != 0 || !strings.Contains(r.Bad[0].Problem, "6 bytes") {
		t.Errorf("%d bytes read, %q", r.Bytes, r.Bad[0].Problem)
	}
}
