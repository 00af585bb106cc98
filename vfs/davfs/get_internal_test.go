package davfs

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"cosafs/test/logbuf"
	"cosafs/vfs"
	"cosafs/vfs/vfstest"
)

// Files of the default fixture.
const (
	archDir = "43.1/x86_64/"
	qemu    = archDir + "os-43.1-qemu.x86_64.qcow2" // local
	gcp     = archDir + "os-43.1-gcp.x86_64.tar.gz" // not local
	empty   = archDir + "os-43.1-empty.x86_64.raw"
	metal   = archDir + "os-43.1-metal.x86_64.raw" // to be made
	slow    = archDir + "os-43.1-slow.x86_64.raw"  // at gate slow
	broken  = archDir + "os-43.1-broken.x86_64.ova"
	full    = archDir + "os-43.1-full.x86_64.raw"
)

// A world is a door over the default fixture.
type world struct {
	*testing.T
	url     string // "" without a network
	client  *http.Client
	lib     *vfstest.Library
	fixture vfstest.Fixture
	door    *Door
	log     *logbuf.Buffer
}

// newWorld gives a door behind a real server.
func newWorld(t *testing.T, cfg Config) *world {
	t.Helper()
	w := newDoor(t, cfg)
	s := httptest.NewServer(w.door)
	t.Cleanup(s.Close)
	w.url, w.client = s.URL+"/", s.Client()
	w.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return w
}

// newDoor gives a door without a network, whose waiting [synctest] shortens.
func newDoor(t *testing.T, cfg Config) *world {
	t.Helper()
	w := &world{T: t, fixture: vfstest.Default(t), log: &logbuf.Buffer{}}
	lib, err := vfstest.NewLibrary(w.fixture, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w.lib = lib
	cfg.Tree, cfg.Logger = vfs.New(lib, vfs.Options{}), slog.New(slog.NewTextHandler(w.log, nil))
	w.door = New(cfg)
	return w
}

func (w *world) want(path string) []byte {
	w.Helper()
	it, ok := w.fixture.Item(path)
	b, err := it.Bytes()
	if !ok || err != nil {
		w.Fatalf("item %s: %v, %v", path, ok, err)
	}
	return b
}

// A reply is what came of a request.
type reply struct {
	StatusCode    int
	Header        http.Header
	ContentLength int64
}

// ask makes a request; header is pairs of name and value.
func (w *world) ask(ctx context.Context, method, path string, header ...string) (reply, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, cmp.Or(w.url, "/")+strings.ReplaceAll(path, "%", "%25"), nil)
	if err != nil {
		return reply{}, nil, err
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	if w.url == "" {
		rec := httptest.NewRecorder()
		w.door.ServeHTTP(rec, req)
		return reply{rec.Code, rec.Header(), int64(rec.Body.Len())}, rec.Body.Bytes(), nil
	}
	res, err := w.client.Do(req)
	if err != nil {
		return reply{}, nil, err
	}
	defer func() { _ = res.Body.Close() }() // read to its end
	body, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header, res.ContentLength}, body, err
}

// answer is ask for a status.
func (w *world) answer(status int, method, path string, header ...string) (reply, []byte) {
	w.Helper()
	res, body, err := w.ask(w.Context(), method, path, header...)
	if err != nil {
		w.Fatalf("%s %s: %v", method, path, err)
	}
	if res.StatusCode != status {
		w.Fatalf("%s %s %q: %d, want %d: %.200s", method, path, header, res.StatusCode, status, body)
	}
	return res, body
}

func (w *world) opens() int { return w.lib.Counters().Opens }

func TestGetGivesTheBytes(t *testing.T) {
	w := newWorld(t, Config{})
	for _, path := range []string{qemu, gcp, empty, metal, "builds.json", "next/x86_64/qemu.qcow2"} {
		want := w.want(path)
		res, body := w.answer(http.StatusOK, http.MethodGet, path)
		if !bytes.Equal(body, want) || res.ContentLength != int64(len(want)) {
			t.Errorf("GET %s: %d bytes of %d, want %d", path, len(body), res.ContentLength, len(want))
		}
		if res.Header.Get("Etag") == "" || res.Header.Get("Accept-Ranges") != "bytes" || res.Header.Get("Last-Modified") == "" {
			t.Errorf("GET %s: %v", path, res.Header)
		}
	}
}

func TestRangesAreTheBytes(t *testing.T) {
	w := newWorld(t, Config{})
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // G404: a test's choice
	for _, path := range []string{qemu, gcp} {
		want := w.want(path)
		for range 50 {
			from := random.IntN(len(want))
			to := from + random.IntN(len(want)-from)
			res, body := w.answer(http.StatusPartialContent, http.MethodGet, path, "Range", fmt.Sprintf("bytes=%d-%d", from, to))
			if !bytes.Equal(body, want[from:to+1]) {
				t.Fatalf("GET %s %d-%d: %d other bytes", path, from, to, len(body))
			}
			if got := res.Header.Get("Content-Range"); got != fmt.Sprintf("bytes %d-%d/%d", from, to, len(want)) {
				t.Errorf("Content-Range %s", got)
			}
		}
		_, body := w.answer(http.StatusPartialContent, http.MethodGet, path, "Range", "bytes=0-9,100-109")
		if !bytes.Contains(body, want[:10]) || !bytes.Contains(body, want[100:110]) {
			t.Errorf("GET %s of two ranges: %q", path, body)
		}
		w.answer(http.StatusRequestedRangeNotSatisfiable, http.MethodGet, path, "Range", fmt.Sprintf("bytes=%d-", len(want)))
	}
}

// Conditions, and looks alone, need no bytes.
func TestWhatNeedsNoBytesOpensNothing(t *testing.T) {
	w := newWorld(t, Config{})
	head, _ := w.answer(http.StatusOK, http.MethodHead, qemu)
	tag, date := head.Header.Get("Etag"), head.Header.Get("Last-Modified")
	if head.ContentLength != int64(len(w.want(qemu))) || tag != `"00ff"` {
		t.Errorf("HEAD: %d bytes, tag %s", head.ContentLength, tag)
	}
	w.answer(http.StatusNotModified, http.MethodGet, qemu, "If-None-Match", tag)
	w.answer(http.StatusNotModified, http.MethodGet, qemu, "If-Modified-Since", date)
	w.answer(http.StatusPreconditionFailed, http.MethodGet, qemu, "If-Match", `"other"`)
	w.answer(http.StatusNotModified, http.MethodGet, qemu, "If-Match", tag, "If-None-Match", `"other", `+tag)
	w.answer(http.StatusPreconditionFailed, http.MethodGet, qemu, "If-Match", "W/"+tag)
	w.answer(http.StatusPreconditionFailed, http.MethodGet, qemu, "If-Unmodified-Since", "Thu, 01 Jan 2015 00:00:00 GMT")
	w.answer(http.StatusRequestedRangeNotSatisfiable, http.MethodGet, qemu, "Range", "bytes=9999999-")
	res, _ := w.answer(http.StatusServiceUnavailable, http.MethodHead, metal) // its size is not known
	if res.Header.Get("Retry-After") == "" {
		t.Error("HEAD of what is not made: no Retry-After")
	}
	if n := w.opens(); n != 0 {
		t.Errorf("%d opens, want none", n)
	}
	if _, body := w.answer(http.StatusOK, http.MethodGet, qemu, "If-Range", `"other"`, "Range", "bytes=0-9"); len(body) != len(w.want(qemu)) {
		t.Errorf("a range of another version gives %d bytes, want all", len(body))
	}
	for _, header := range [][]string{{"If-None-Match", "odd " + tag}, {"If-Match", tag}, {"If-Modified-Since", "odd"}} {
		if _, body := w.answer(http.StatusOK, http.MethodGet, qemu, header...); !bytes.Equal(body, w.want(qemu)) {
			t.Errorf("%q: %d bytes", header, len(body))
		}
	}
}

func TestDigests(t *testing.T) {
	body := []byte("bytes")
	sum := sha256.Sum256(body)
	h := http.Header{}
	tellDigest(h, vfs.Entry{SHA256: fmt.Sprintf("%x", sum)})
	encoded := base64.StdEncoding.EncodeToString(sum[:])
	for name, want := range map[string]string{
		"Repr-Digest": "sha-256=:" + encoded + ":", "Digest": "sha-256=" + encoded, "X-Checksum-Sha256": fmt.Sprintf("%x", sum),
	} {
		if got := h.Get(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	h = http.Header{}
	if tellDigest(h, vfs.Entry{SHA256: "00ff"}); len(h) != 0 {
		t.Errorf("half a digest gives %v", h)
	}
}

// A view's sha256 gets known while it is downloaded. That must not end the download;
// another disk below it must.
func TestTagOfAView(t *testing.T) {
	const azure = archDir + "os-43.1-azure.x86_64.vhd"
	w := newWorld(t, Config{})
	it := vfstest.Item{Path: azure, Kind: "azure", Random: 1000, View: true, Stamp: "a"}
	put := func() (tag, digest string) {
		t.Helper()
		if err := w.lib.Put(it); err != nil {
			t.Fatal(err)
		}
		res, _ := w.answer(http.StatusOK, http.MethodHead, azure)
		return res.Header.Get("Etag"), res.Header.Get("X-Checksum-Sha256")
	}
	tag, digest := put()
	if tag == "" || digest != "" {
		t.Errorf("at first: tag %s, sha256 %q", tag, digest)
	}
	it.SHA256 = strings.Repeat("0f", 32)
	if now, digest := put(); now != tag || digest != it.SHA256 {
		t.Errorf("with a known sha256: tag %s, was %s; sha256 %q", now, tag, digest)
	}
	w.answer(http.StatusPartialContent, http.MethodGet, azure, "If-Range", tag, "Range", "bytes=500-")
	it.Stamp = "b"
	if now, _ := put(); now == tag || now == "" {
		t.Errorf("over another disk: tag %s", now)
	}
	w.answer(http.StatusOK, http.MethodGet, azure, "If-Range", tag, "Range", "bytes=500-")
	it.Stamp = ""
	if now, _ := put(); now != `"`+it.SHA256+`"` {
		t.Errorf("of a view that is recorded: tag %s, want its sha256", now)
	}
}

func TestShortNameTellsTheFullOne(t *testing.T) {
	w := newWorld(t, Config{})
	res, body := w.answer(http.StatusOK, http.MethodGet, archDir+"qemu.qcow2")
	if !bytes.Equal(body, w.want(qemu)) || res.Header.Get("Content-Location") != "/"+qemu || res.Header.Get("Content-Disposition") != "inline; filename=os-43.1-qemu.x86_64.qcow2" {
		t.Errorf("%d bytes, %v", len(body), res.Header)
	}
}

func TestGeneratedTextIsNotKept(t *testing.T) {
	w := newWorld(t, Config{})
	res, body := w.answer(http.StatusOK, http.MethodGet, ".cosafs/status", "Range", "bytes=1-2", "If-None-Match", "*")
	if h := res.Header; !strings.HasPrefix(string(body), "opens 0\n") || h.Get("Etag") != "" || h.Get("Accept-Ranges") != "" || h.Get("Cache-Control") != "no-store" || h.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("%q, %v", body, h)
	}
}
