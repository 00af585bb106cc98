package davfs_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"cosafs/vfs"
	"cosafs/vfs/davfs"
	"cosafs/vfs/vfstest"
)

const qemu = "/43.1/x86_64/os-43.1-qemu.x86_64.qcow2"

// all asks for everything usual, some for the properties within.
const all = ""

func some(props string) string {
	return `<?xml version="1.0"?><D:propfind xmlns:D="DAV:" xmlns:c="urn:x-cosafs:"><D:prop>` + props + `</D:prop></D:propfind>`
}

func TestUsualProperties(t *testing.T) {
	d, _ := door(t, vfstest.Default(t), davfs.Config{})
	file := propfind(t, d, qemu, "0", all).found(qemu)
	if file["DAV: getetag"] == "" || file["DAV: getcontenttype"] == "" {
		t.Errorf("no etag or no type in %q", file)
	}
	delete(file, "DAV: getetag")
	delete(file, "DAV: getcontenttype")
	want := map[string]string{
		"DAV: resourcetype":     "",
		"DAV: displayname":      "os-43.1-qemu.x86_64.qcow2",
		"DAV: getcontentlength": "1200001",
		"DAV: getlastmodified":  "Fri, 02 Jan 2026 03:04:05 GMT",
		"DAV: creationdate":     "2026-01-02T03:04:05Z",
	}
	if diff := cmp.Diff(want, file); diff != "" {
		t.Errorf("a file (-want +got):\n%s", diff)
	}
	want = map[string]string{
		"DAV: resourcetype":    "<D:collection/>",
		"DAV: displayname":     "43.1",
		"DAV: getlastmodified": "Fri, 02 Jan 2026 03:04:05 GMT",
		"DAV: creationdate":    "2026-01-02T03:04:05Z",
	}
	if diff := cmp.Diff(want, propfind(t, d, "/43.1", "0", all).found("/43.1/")); diff != "" {
		t.Errorf("a collection (-want +got):\n%s", diff)
	}
}

func TestPropertiesByName(t *testing.T) {
	d, _ := door(t, vfstest.Default(t), davfs.Config{})
	body := some(`<D:getcontentlength/><D:getetag/><c:state/><c:reason/><c:target/><c:mode/><D:quota-used-bytes/><D:supportedlock/><x xmlns="urn:other"/><bare/>`)
	got := propfind(t, d, qemu, "0", body)
	wantAbsent := []string{" bare", "DAV: quota-used-bytes", "DAV: supportedlock", "urn:other x", "urn:x-cosafs: reason", "urn:x-cosafs: target"}
	if diff := cmp.Diff(wantAbsent, got.absent(qemu)); diff != "" {
		t.Errorf("absent (-want +got):\n%s", diff)
	}
	found := got.found(qemu)
	if found["DAV: getcontentlength"] != "1200001" || found["urn:x-cosafs: state"] != "local" || found["urn:x-cosafs: mode"] != "0444" {
		t.Errorf("found %q", found)
	}
	got = propfind(t, d, qemu, "0", some(`<D:nothing/>`))
	if len(got.found(qemu)) != 0 || len(got.absent(qemu)) != 1 || len(got[qemu]) != 1 {
		t.Errorf("nothing of what was asked for: %q", got)
	}
	if got = propfind(t, d, qemu, "0", some("")); len(got[qemu]) != 1 {
		t.Errorf("nothing asked for: %q", got)
	}
}

// TestPropertyNames: what propname names is what asking by those names gives.
func TestPropertyNames(t *testing.T) {
	d, _ := door(t, vfstest.Default(t), davfs.Config{})
	for _, href := range []string{qemu, "/", "/latest/", "/43.1/x86_64/os-43.1-metal.x86_64.raw", "/.cosafs/status"} {
		names := propfind(t, d, href, "0", `<propfind xmlns="DAV:"><propname/></propfind>`).found(href)
		var props strings.Builder
		for name, value := range names {
			space, local, _ := strings.Cut(name, " ")
			fmt.Fprintf(&props, `<%s xmlns=%q/>`, local, space)
			if value != "" {
				t.Errorf("%s: propname gives %s a value, %q", href, name, value)
			}
		}
		got := propfind(t, d, href, "0", some(props.String()))
		if !maps.EqualFunc(names, got.found(href), func(string, string) bool { return true }) || len(got.absent(href)) > 0 {
			t.Errorf("%s: named %q, found %q, absent %q", href, names, got.found(href), got.absent(href))
		}
	}
}

func TestIncludeAddsToUsual(t *testing.T) {
	d, _ := door(t, vfstest.Default(t), davfs.Config{})
	got := propfind(t, d, qemu, "0", `<propfind xmlns="DAV:"><allprop/><include><state xmlns="urn:x-cosafs:"/></include></propfind>`).found(qemu)
	usual := propfind(t, d, qemu, "0", all).found(qemu)
	if got["urn:x-cosafs: state"] != "local" || len(got) != len(usual)+1 {
		t.Errorf("allprop with include: %q", got)
	}
}

func TestListings(t *testing.T) {
	d, lib := door(t, vfstest.Default(t), davfs.Config{Scratch: "upload"})
	for target, want := range map[string][]string{
		"/":             {"/", "/.cosafs/", "/43.1/", "/43.2/", "/builds.json", "/latest/", "/next/", "/upload/"},
		"/43.1":         {"/43.1/", "/43.1/release.json", "/43.1/x86_64/"},
		"/43.1/":        {"/43.1/", "/43.1/release.json", "/43.1/x86_64/"},
		"/latest/":      {"/latest/", "/latest/x86_64/"},
		"/next/x86_64/": {"/next/x86_64/"},
		"/builds.json":  {"/builds.json"},
		"/43.1/x86_64/": {
			"/43.1/x86_64/", "/43.1/x86_64/meta.json", "/43.1/x86_64/odd%20%C3%BC%20%252F%2B%26%23%3F.bin", "/43.1/x86_64/os-43.1-empty.x86_64.raw",
			"/43.1/x86_64/os-43.1-gcp.x86_64.tar.gz", "/43.1/x86_64/os-43.1-page.x86_64.raw", qemu,
		},
	} {
		got := propfind(t, d, target, "1", all)
		if diff := cmp.Diff(want, got.hrefs()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", target, diff)
		}
		for href := range got {
			if collection := got.found(href)["DAV: resourcetype"] != ""; collection != strings.HasSuffix(href, "/") {
				t.Errorf("%s: a collection: %v", href, collection)
			}
		}
	}
	if c := lib.Counters(); c.Opens != 0 || c.Bytes != 0 || c.Made != 0 {
		t.Errorf("looking cost %+v", c)
	}
}

// TestUnknownSizeIsNotListed: even in a tree that lists what could be made.
func TestUnknownSizeIsNotListed(t *testing.T) {
	lib, err := vfstest.NewLibrary(vfstest.Default(t), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	d := davfs.New(davfs.Config{Tree: vfs.New(lib, vfs.Options{ListBuildable: true})})
	const metal = "/43.1/x86_64/os-43.1-metal.x86_64.raw"
	if got := propfind(t, d, "/43.1/x86_64/", "1", all); got[metal] != nil || got[qemu] == nil {
		t.Errorf("listed: %q", got.hrefs())
	}
	got := propfind(t, d, metal, "0", some("<D:getcontentlength/><c:state/><D:displayname/>"))
	if diff := cmp.Diff([]string{"DAV: getcontentlength"}, got.absent(metal)); diff != "" || got.found(metal)["urn:x-cosafs: state"] != "buildable" {
		t.Errorf("%s: %q", metal, got)
	}
}

// faulty is a library that can't tell of one file.
type faulty struct {
	*vfstest.Library
	name string
}

func (f faulty) Refresh(ctx context.Context, e vfs.Entry) (vfs.Entry, error) {
	if e.Name == f.name {
		return vfs.Entry{}, errors.New("the index is damaged")
	}
	return f.Library.Refresh(ctx, e)
}

// TestOneBadFileOfMany: the others are listed, and the bad one is not missing.
func TestOneBadFileOfMany(t *testing.T) {
	lib, err := vfstest.NewLibrary(vfstest.Default(t), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	d := davfs.New(davfs.Config{Tree: vfs.New(faulty{lib, path.Base(qemu)}, vfs.Options{})})
	resp := ask(t, d, "PROPFIND", "/43.1/x86_64/", all, "Depth", "1")
	answer := resp.Body.String()
	if got := parse(t, answer); len(got) != 7 || len(got[qemu]) != 0 || !strings.Contains(answer, qemu+"</D:href><D:status>HTTP/1.1 500 Internal Server Error</D:status>") {
		t.Errorf("the listing is %s", answer)
	}
	if resp := ask(t, d, "PROPFIND", qemu, all, "Depth", "0"); resp.Code != http.StatusInternalServerError {
		t.Errorf("PROPFIND of the bad one: %d", resp.Code)
	}
}

// TestLinks: WebDAV has none, so that they are what they lead to.
func TestLinks(t *testing.T) {
	f := vfstest.Default(t)
	d, lib := door(t, f, davfs.Config{})
	ask := some("<D:resourcetype/><D:displayname/><D:getcontentlength/><c:target/>")
	want := map[string]string{"DAV: resourcetype": "<D:collection/>", "DAV: displayname": "latest", "urn:x-cosafs: target": "43.2"}
	for _, depth := range []string{"0", "1"} {
		target := map[string]string{"0": "/latest", "1": "/"}[depth]
		if diff := cmp.Diff(want, propfind(t, d, target, depth, ask).found("/latest/")); diff != "" {
			t.Errorf("latest, depth %s (-want +got):\n%s", depth, diff)
		}
	}
	const short = "/43.1/x86_64/qemu.qcow2"
	want = map[string]string{"DAV: resourcetype": "", "DAV: displayname": "qemu.qcow2", "DAV: getcontentlength": "1200001", "urn:x-cosafs: target": path.Base(qemu)}
	if diff := cmp.Diff(want, propfind(t, d, short, "1", ask).found(short)); diff != "" {
		t.Errorf("short name (-want +got):\n%s", diff)
	}
	lib.SetLatest("40.9")
	if got := propfind(t, d, "/", "1", ask); got["/latest/"] != nil || got["/latest"] != nil {
		t.Errorf("a link that leads nowhere is listed: %q", got.hrefs())
	}
}

func TestDepth(t *testing.T) {
	d, _ := door(t, vfstest.Default(t), davfs.Config{})
	for depth, want := range map[string]int{
		"0": 207, "1": 207, "infinity": 403, "Infinity": 403, "": 403, "2": 400, "1,noroot": 400, "-1": 400, "x": 400,
	} {
		header := []string{"Depth", depth}
		if depth == "" {
			header = nil
		}
		resp := ask(t, d, "PROPFIND", "/", all, header...)
		body := resp.Body.String()
		if resp.Code != want {
			t.Errorf("Depth %q: %d, want %d", depth, resp.Code, want)
		}
		if want == 403 && !strings.Contains(body, `<D:error xmlns:D="DAV:"><D:propfind-finite-depth/></D:error>`) {
			t.Errorf("Depth %q: %s", depth, body)
		}
	}
}

func TestPropfindErrors(t *testing.T) {
	d, _ := door(t, vfstest.Default(t), davfs.Config{})
	for _, target := range []string{"/nothing", "/43.1/nothing/below", "/builds.json/", "/builds.json/below", "/latest/nothing"} {
		for _, depth := range []string{"0", "1"} {
			if resp := ask(t, d, "PROPFIND", target, all, "Depth", depth); resp.Code != http.StatusNotFound {
				t.Errorf("PROPFIND %s: %d, want 404", target, resp.Code)
			}
		}
	}
}

func TestCollectionTellsItsOwnPath(t *testing.T) {
	d, _ := door(t, vfstest.Default(t), davfs.Config{})
	resp := ask(t, d, "PROPFIND", "/43.1", all, "Depth", "0")
	if got := resp.Header().Get("Content-Location"); got != "/43.1/" {
		t.Errorf("Content-Location %q, want /43.1/", got)
	}
}

// builds gives a fixture of n builds.
func builds(n int) vfstest.Fixture {
	f := vfstest.Fixture{Latest: "43.00000"}
	for i := range n {
		f.Items = append(f.Items, vfstest.Item{Path: fmt.Sprintf("43.%05d/x86_64/meta.json", i), Text: "{}"})
	}
	return f
}

func TestLongListingIsCompressed(t *testing.T) {
	d, _ := door(t, builds(500), davfs.Config{})
	plain := ask(t, d, "PROPFIND", "/", all, "Depth", "1")
	want := parse(t, plain.Body.String())
	if len(want) != 503 || plain.Header().Get("Content-Encoding") != "" {
		t.Fatalf("%d entries, %v", len(want), plain.Header())
	}
	for range 2 { // the second time with the same compressor
		resp := ask(t, d, "PROPFIND", "/", all, "Depth", "1", "Accept-Encoding", "deflate, gzip;q=0.5")
		if resp.Header().Get("Content-Encoding") != "gzip" || resp.Header().Get("Vary") != "Accept-Encoding" {
			t.Fatalf("headers %v", resp.Header())
		}
		zip, err := gzip.NewReader(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		plain, err := io.ReadAll(zip)
		if err != nil {
			t.Fatal(err)
		}
		if got := parse(t, string(plain)); !slices.Equal(got.hrefs(), want.hrefs()) {
			t.Errorf("%d entries compressed", len(got))
		}
	}
	for _, accept := range []string{"identity", "gzip;q=0", "gzip; q=0.000", "x-gzip", "br"} {
		resp := ask(t, d, "PROPFIND", "/", all, "Depth", "1", "Accept-Encoding", accept)
		if resp.Header().Get("Content-Encoding") != "" {
			t.Errorf("Accept-Encoding %s is answered with %v", accept, resp.Header())
		}
	}
	if resp := ask(t, d, "PROPFIND", "/43.00000/", all, "Depth", "1", "Accept-Encoding", "gzip"); resp.Header().Get("Content-Encoding") != "" {
		t.Error("a short answer is compressed")
	}
}

// TestSameAnswerTwice: answers are byte-stable, so that they can be compared.
func TestSameAnswerTwice(t *testing.T) {
	d, _ := door(t, builds(100), davfs.Config{})
	first := ask(t, d, "PROPFIND", "/", all, "Depth", "1").Body.String()
	if again := ask(t, d, "PROPFIND", "/", all, "Depth", "1").Body.String(); first != again {
		t.Error("two answers differ")
	}
}

// FuzzNames: whatever names the index has, an answer is well-formed, and each
// href in it leads to what it names.
func FuzzNames(f *testing.F) {
	for _, s := range []string{"a b", "<&>\"'", "\x01\x1f\x7f", "\xff", "\ufffe\uffff", "é\u0301", "a\\b", "..", "]]>", "\r\n\t", "%2F%", "upload", "\U0001f600", ";=?#"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if name == "" || strings.Contains(name, "/") {
			return
		}
		d, _ := door(t, vfstest.Fixture{Items: []vfstest.Item{{Path: "43.1/x86_64/" + name, Text: "x"}}}, davfs.Config{})
		listed := propfind(t, d, "/43.1/x86_64/", "1", all)
		for href := range listed {
			decoded, err := url.PathUnescape(href)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(decoded, "/") && path.Base(decoded) != name {
				t.Errorf("%q is listed as %q", name, href)
			}
			if got := propfind(t, d, href, "0", all); !cmp.Equal(got[href], listed[href]) {
				t.Errorf("%q is %v, and was listed as %v", href, got, listed[href])
			}
		}
		carried := utf8.ValidString(name) && !strings.ContainsAny(name, "\\\x00") && name != "." && name != ".."
		if (len(listed) == 2) != carried {
			t.Errorf("%q is listed: %q", name, listed.hrefs())
		}
	})
}

// TestLongBodyIsRefused: and not read to its end.
func TestLongBodyIsRefused(t *testing.T) {
	d, _ := door(t, vfstest.Default(t), davfs.Config{})
	resp := ask(t, d, "PROPFIND", "/", strings.Repeat(" ", 1<<20+1), "Depth", "0")
	if resp.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("a body above the bound: %d", resp.Code)
	}
	for _, body := range []string{"hello", `<propfind xmlns="DAV:"><prop><x:y xmlns:x=""/></prop></propfind>`} {
		if resp := ask(t, d, "PROPFIND", "/", body, "Depth", "0"); resp.Code != http.StatusBadRequest {
			t.Errorf("%s: %d, want 400", body, resp.Code)
		}
	}
}
