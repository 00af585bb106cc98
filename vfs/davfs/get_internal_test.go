package davfs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cosafs/materialize"
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

// A world is a door over the default fixture behind a real server.
type world struct {
	*testing.T
	url     string
	lib     *vfstest.Library
	fixture vfstest.Fixture
	door    *Door
	log     *lockedBuffer
}

// lockedBuffer takes a log from several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newWorld(t *testing.T, cfg Config) *world {
	t.Helper()
	w := &world{T: t, fixture: vfstest.Default(t), log: &lockedBuffer{}}
	lib, err := vfstest.NewLibrary(w.fixture, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w.lib = lib
	cfg.Tree, cfg.Logger = vfs.New(lib, vfs.Options{}), slog.New(slog.NewTextHandler(w.log, nil))
	w.door = New(cfg)
	s := httptest.NewServer(w.door)
	t.Cleanup(s.Close)
	w.url = s.URL + "/"
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
	req, err := http.NewRequestWithContext(ctx, method, w.url+strings.ReplaceAll(path, "%", "%25"), nil)
	if err != nil {
		return reply{}, nil, err
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
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

func TestShortNameTellsTheFullOne(t *testing.T) {
	w := newWorld(t, Config{})
	res, body := w.answer(http.StatusOK, http.MethodGet, archDir+"qemu.qcow2")
	if !bytes.Equal(body, w.want(qemu)) || res.Header.Get("Content-Location") != "/"+qemu || !strings.Contains(res.Header.Get("Content-Disposition"), "os-43.1-qemu") {
		t.Errorf("%d bytes, %v", len(body), res.Header)
	}
}

func TestGeneratedTextIsNotKept(t *testing.T) {
	w := newWorld(t, Config{})
	res, body := w.answer(http.StatusOK, http.MethodGet, ".cosafs/status", "Range", "bytes=1-2")
	if h := res.Header; !strings.HasPrefix(string(body), "opens 0\n") || h.Get("Etag") != "" || h.Get("Cache-Control") != "no-store" || h.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("%q, %v", body, h)
	}
}

// Each client is kept waiting in its own way, and gets the right bytes at the end.
func TestClientsWait(t *testing.T) {
	for agent, interim := range map[string]bool{
		"curl/7.88.1": true, "davfs2/1.6.1 neon/0.32.5": true, "gvfs/1.50.3": true, "aria2/1.36.0": true, "node": true,
		"Wget/1.21.3": false, "rclone/v1.60.1-DEV": false, "Python-urllib/3.11": false, "": false,
	} {
		t.Run(agent, func(t *testing.T) {
			w := newWorld(t, Config{Interim: time.Millisecond})
			beats := make(chan struct{}, 1000)
			ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, _ textproto.MIMEHeader) error {
				if code != http.StatusProcessing {
					t.Errorf("interim answer %d", code)
				}
				select {
				case beats <- struct{}{}:
				default:
				}
				return nil
			}})
			done := make(chan error, 1)
			go func() {
				res, body, err := w.ask(ctx, http.MethodGet, slow, "User-Agent", agent)
				if err == nil && (res.StatusCode != http.StatusOK || !bytes.Equal(body, w.want(slow))) {
					err = fmt.Errorf("%d, %d bytes", res.StatusCode, len(body))
				}
				done <- err
			}()
			vfstest.Eventually(t, "it waits", func() bool { return w.door.Waiting() == 1 && w.lib.Counters().Waiting == 1 })
			if interim {
				<-beats
				<-beats
			}
			w.lib.OpenGate("slow")
			if err := <-done; err != nil {
				t.Error(err)
			}
			if got := len(beats) > 0; !interim && got {
				t.Error("it got an interim answer")
			}
		})
	}
}

// A client that leaves does not spoil it for the next: one making.
func TestDisconnectAndJoin(t *testing.T) {
	w := newWorld(t, Config{})
	ctx, leave := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() {
		_, _, err := w.ask(ctx, http.MethodGet, slow)
		first <- err
	}()
	vfstest.Eventually(t, "the first waits", func() bool { return w.lib.Counters().Waiting == 1 })
	second := make(chan []byte, 1)
	go func() {
		_, body, err := w.ask(t.Context(), http.MethodGet, slow)
		if err != nil {
			t.Error(err)
		}
		second <- body
	}()
	vfstest.Eventually(t, "both wait", func() bool { return w.lib.Counters().Waiting == 2 })
	leave()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("the first: %v", err)
	}
	vfstest.Eventually(t, "the second waits alone", func() bool { return w.lib.Counters().Waiting == 1 && w.door.Waiting() == 1 })
	w.lib.OpenGate("slow")
	if !bytes.Equal(<-second, w.want(slow)) {
		t.Error("the second got other bytes")
	}
	if c := w.lib.Counters(); c.Made != 1 {
		t.Errorf("made %d times", c.Made)
	}
}

func TestWhoWillNotWaitIsToldToComeAgain(t *testing.T) {
	w := newWorld(t, Config{})
	for _, header := range [][]string{{"Prefer", "respond-async"}, {"Prefer", `foo, wait="1"`}} {
		res, body := w.answer(http.StatusServiceUnavailable, http.MethodGet, slow, header...)
		if res.Header.Get("Retry-After") == "" || len(body) == 0 {
			t.Errorf("%q: %v %q", header, res.Header, body)
		}
	}
	w.answer(http.StatusServiceUnavailable, http.MethodGet, slow+"?wait=0")
	if got := w.lib.Counters(); got.Waiting != 0 || got.Opens != 3 {
		t.Errorf("%+v, want three opens that were left", got)
	}
}

// apt follows redirects, each to another address, until the file is there.
func TestAptIsLedOn(t *testing.T) {
	w := newWorld(t, Config{Interim: time.Millisecond})
	seen := map[string]bool{}
	at := slow
	for range 3 {
		res, _ := w.answer(http.StatusTemporaryRedirect, http.MethodGet, at, "User-Agent", "Debian APT-HTTP/1.3 (2.6.1)")
		at = strings.TrimPrefix(res.Header.Get("Location"), "/")
		if seen[at] {
			t.Fatalf("led to %s twice", at)
		}
		seen[at] = true
	}
	w.lib.OpenGate("slow")
	if _, body := w.answer(http.StatusOK, http.MethodGet, at, "User-Agent", "Debian APT-HTTP/1.3 (2.6.1)"); !bytes.Equal(body, w.want(slow)) {
		t.Error("other bytes")
	}
}

// A failed job answers with its reason, at once, and with a status that nobody asks
// again for.
func TestFailedBuild(t *testing.T) {
	w := newWorld(t, Config{})
	for range 2 {
		_, body := w.answer(http.StatusFailedDependency, http.MethodGet, broken)
		if text := string(body); !strings.Contains(text, "unknown key rooot") || !strings.Contains(text, "hint: mend it") {
			t.Errorf("answer %q", text)
		}
		w.answer(http.StatusInsufficientStorage, http.MethodGet, full)
	}
	if log := w.log.String(); !strings.Contains(log, "build asked") || !strings.Contains(log, broken) || strings.Contains(log, "path="+qemu) {
		t.Errorf("log %s", log)
	}
}

// pages notes which page is asked for.
type pages struct{ Pages }

func page(w http.ResponseWriter, status int, name, path string) {
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "page %s of %s", name, path)
}

func (pages) Waiting(w http.ResponseWriter, _ *http.Request, path string) {
	page(w, http.StatusServiceUnavailable, "waiting", path)
}

func (pages) Ask(w http.ResponseWriter, _ *http.Request, path string) {
	page(w, http.StatusOK, "ask", path)
}

func (pages) Failed(w http.ResponseWriter, _ *http.Request, path string, status int, _ error) {
	page(w, status, "failed", path)
}

func TestBrowsersGetPages(t *testing.T) {
	w := newWorld(t, Config{Pages: pages{}})
	browser := []string{"User-Agent", "Mozilla/5.0", "Accept", "text/html,*/*"}
	if _, body := w.answer(http.StatusServiceUnavailable, http.MethodGet, slow, browser...); string(body) != "page waiting of "+slow {
		t.Errorf("waiting: %q", body)
	}
	if _, body := w.answer(http.StatusFailedDependency, http.MethodGet, broken, browser...); string(body) != "page failed of "+broken {
		t.Errorf("failed: %q", body)
	}
	if _, body := w.answer(http.StatusOK, http.MethodGet, metal, browser...); !bytes.Equal(body, w.want(metal)) {
		t.Errorf("what is made at once: %d bytes", len(body))
	}
}

// What a browser asks on behalf of another site, or to have it ready, builds nothing.
func TestUninvitedRequestsBuildNothing(t *testing.T) {
	for _, p := range []Pages{nil, pages{}} {
		w := newWorld(t, Config{Pages: p})
		for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Sec-Purpose", "prefetch;prerender"}} {
			status := http.StatusForbidden
			if p != nil {
				status = http.StatusOK
			}
			w.answer(status, http.MethodGet, metal, header...)
			if _, body := w.answer(http.StatusOK, http.MethodGet, gcp, header...); !bytes.Equal(body, w.want(gcp)) {
				t.Errorf("%q: what exists does not come", header)
			}
		}
		if c := w.lib.Counters(); c.Made != 0 {
			t.Errorf("%d were made", c.Made)
		}
	}
}

// failing is a library whose blobs fail at a place.
type failing struct {
	*vfstest.Library
	at int64
}

func (f failing) Open(ctx context.Context, e vfs.Entry) (vfs.Blob, error) {
	b, err := f.Library.Open(ctx, e)
	return failingBlob{b, f.at}, err
}

type failingBlob struct {
	vfs.Blob
	at int64
}

func (failingBlob) LocalFile() (*os.File, bool) { return nil, false }

func (b failingBlob) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	if off+int64(len(p)) > b.at {
		return 0, materialize.Fail(materialize.ClassNetwork, "read", "wait", errors.New("the store went away"))
	}
	return b.Blob.ReadAt(ctx, p, off)
}

// A read that fails is told by the status while there is none yet, and cuts the
// answer off later: never a part that looks like the whole.
func TestFailedReads(t *testing.T) {
	for at, begun := range map[int64]bool{0: false, 600_000: true} {
		w := newWorld(t, Config{})
		s := httptest.NewServer(New(Config{Tree: vfs.New(failing{w.lib, at}, vfs.Options{})}))
		t.Cleanup(s.Close)
		w.url = s.URL + "/"
		res, body, err := w.ask(t.Context(), http.MethodGet, qemu)
		switch {
		case begun && !errors.Is(err, io.ErrUnexpectedEOF):
			t.Errorf("a read that fails in the middle: %d bytes, %v", len(body), err)
		case !begun && (err != nil || res.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(body), "went away") || res.Header.Get("Etag") != ""):
			t.Errorf("a first read that fails: %v, %q, %v", res, body, err)
		}
	}
}

// reads counts how a response is written.
type reads struct {
	http.ResponseWriter
	files atomic.Int64
}

// ReadFrom is what leads to sendfile: net/http passes a file on to the socket.
func (c *reads) ReadFrom(r io.Reader) (int64, error) {
	if l, ok := r.(*io.LimitedReader); ok {
		if _, ok := l.R.(*os.File); ok {
			c.files.Add(1)
		}
	}
	return io.Copy(struct{ io.Writer }{c.ResponseWriter}, r)
}

func TestLocalFilesGoBySendfile(t *testing.T) {
	w := newWorld(t, Config{})
	for path, want := range map[string]int64{qemu: 1, gcp: 0} {
		rec := &reads{ResponseWriter: httptest.NewRecorder()}
		w.door.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/"+path, nil))
		if got := rec.files.Load(); got != want {
			t.Errorf("GET %s: %d files were handed to the socket, want %d", path, got, want)
		}
	}
}

// A hundred readers at once, over HTTP/2, all get all.
func TestManyReaders(t *testing.T) {
	w := newWorld(t, Config{})
	s := httptest.NewUnstartedServer(w.door)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	var all sync.WaitGroup
	for i := range 100 {
		path := []string{qemu, gcp, metal, slow}[i%4]
		all.Go(func() {
			res, err := s.Client().Get(s.URL + "/" + path)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = res.Body.Close() }() // read to its end
			body, err := io.ReadAll(res.Body)
			if err != nil || res.ProtoMajor != 2 || !bytes.Equal(body, w.want(path)) {
				t.Errorf("GET %s: %s %d bytes, %v", path, res.Proto, len(body), err)
			}
		})
	}
	vfstest.Eventually(t, "those of the gate wait", func() bool { return w.lib.Counters().Waiting == 25 })
	w.lib.OpenGate("slow")
	all.Wait()
	if c := w.lib.Counters(); c.Made != 2 {
		t.Errorf("made %d, want 2", c.Made)
	}
}
