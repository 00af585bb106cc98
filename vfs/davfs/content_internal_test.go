package davfs

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"cosafs/materialize"
	"cosafs/test/logbuf"
	"cosafs/vfs"
	"cosafs/vfs/vfstest"
)

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
	for _, http2 := range []bool{false, true} {
		for at, begun := range map[int64]bool{0: false, 600_000: true} {
			w := newWorld(t, Config{})
			log := &logbuf.Buffer{}
			s := httptest.NewUnstartedServer(New(Config{
				Tree: vfs.New(failing{w.lib, at}, vfs.Options{}), Logger: slog.New(slog.NewTextHandler(log, nil)),
			}))
			s.EnableHTTP2 = http2
			s.StartTLS()
			t.Cleanup(s.Close)
			w.url, w.client = s.URL+"/", s.Client()
			res, body, err := w.ask(t.Context(), http.MethodGet, qemu)
			switch {
			case begun && (err == nil || len(body) >= len(w.want(qemu))):
				t.Errorf("a read that fails in the middle: %d bytes, no error", len(body))
			case begun && !strings.Contains(log.String(), "went away"):
				t.Errorf("a read that fails in the middle: log %q", log)
			case !begun && (err != nil || res.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(body), "went away") || res.Header.Get("Etag") != ""):
				t.Errorf("a first read that fails: %v, %q, %v", res, body, err)
			}
		}
	}
}

// changing is a library where files become others before they are opened.
type changing struct {
	*vfstest.Library
	times atomic.Int64 // how often, still
}

func (c *changing) Open(ctx context.Context, e vfs.Entry) (vfs.Blob, error) {
	if c.times.Add(-1) >= 0 {
		return nil, vfs.ErrStale
	}
	return c.Library.Open(ctx, e)
}

func TestWhatBecameAnotherFileIsLookedUpAgain(t *testing.T) {
	for times, status := range map[int64]int{1: http.StatusOK, 2: http.StatusConflict} {
		w := newDoor(t, Config{})
		lib := &changing{Library: w.lib}
		lib.times.Store(times)
		w.door = New(Config{Tree: vfs.New(lib, vfs.Options{})})
		if _, body := w.answer(status, http.MethodGet, qemu); status == http.StatusOK && !bytes.Equal(body, w.want(qemu)) {
			t.Errorf("%d bytes", len(body))
		}
	}
}

// lingering is a library whose blobs read on from 1000 until the read is told to end.
type lingering struct {
	*vfstest.Library
	begun      chan struct{} // closed when that read begins
	busy, late atomic.Bool   // it goes on; the blob was closed meanwhile
}

func (l *lingering) Open(ctx context.Context, e vfs.Entry) (vfs.Blob, error) {
	b, err := l.Library.Open(ctx, e)
	return &lingeringBlob{Blob: b, l: l}, err
}

type lingeringBlob struct {
	vfs.Blob
	l *lingering
}

func (b *lingeringBlob) LocalFile() (*os.File, bool) { return nil, false }

func (b *lingeringBlob) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	if off < 1000 {
		return b.Blob.ReadAt(ctx, p, off)
	}
	b.l.busy.Store(true)
	defer b.l.busy.Store(false)
	close(b.l.begun)
	<-ctx.Done()
	return 0, ctx.Err()
}

func (b *lingeringBlob) Close() error {
	b.l.late.Store(b.l.busy.Load())
	return b.Blob.Close()
}

// gone is a client that is gone once the blob is being read.
type gone struct {
	http.ResponseWriter
	l *lingering
}

func (g gone) Write(p []byte) (int, error) {
	if !bytes.Contains(p, []byte("bytes 2000-")) { // the head of the second range
		return len(p), nil
	}
	<-g.l.begun
	return 0, syscall.EPIPE
}

// Several ranges are read by a goroutine of net/http, which stays behind when the
// client goes: it must not read a blob that is closed.
func TestNothingIsReadAfterTheAnswer(t *testing.T) {
	w := newDoor(t, Config{})
	lib := &lingering{Library: w.lib, begun: make(chan struct{})}
	d := New(Config{Tree: vfs.New(lib, vfs.Options{})})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/"+qemu, nil)
	r.Header.Set("Range", "bytes=0-9,2000-2009")
	defer func() {
		if err := recover(); err != http.ErrAbortHandler { //nolint:errorlint // what net/http compares
			t.Errorf("the answer ended with %v", err)
		}
		if lib.late.Load() {
			t.Error("the blob was closed while it was read")
		}
	}()
	d.ServeHTTP(gone{httptest.NewRecorder(), lib}, r)
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

// crowd is a client that takes nothing before all others are served, too.
type crowd struct {
	http.ResponseWriter
	here *sync.WaitGroup
	all  <-chan struct{}
	once sync.Once
}

func (c *crowd) Write(p []byte) (int, error) {
	c.once.Do(func() {
		c.here.Done()
		<-c.all
	})
	return len(p), nil
}

// A hundred answers at once take their pieces, whatever the files' sizes.
func TestMemoryOfAHundredReaders(t *testing.T) {
	const each, bound = 100, 64 << 20
	w := newDoor(t, Config{})
	var here, served sync.WaitGroup
	all := make(chan struct{})
	before := heap()
	for range each {
		here.Add(1)
		served.Go(func() {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/"+gcp, nil)
			w.door.ServeHTTP(&crowd{ResponseWriter: httptest.NewRecorder(), here: &here, all: all}, r)
		})
	}
	here.Wait()
	if used := heap() - before; used > bound {
		t.Errorf("%d readers use %d bytes, want %d at most", each, used, bound)
	}
	close(all)
	served.Wait()
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc) //nolint:gosec // G115: a heap is small
}
