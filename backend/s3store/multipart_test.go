package s3store_test

import (
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"cosafs/backend"
	"cosafs/backend/s3store"
)

const (
	part  = 16 << 20
	large = 2*part + 1000 // three parts
)

// A disk is a large object that needs little memory: its beginning, and noise that
// repeats, but not at the distance of parts.
type disk struct {
	first, noise string
	size         int64
}

func newDisk(first string, size int64) disk {
	noise := make([]byte, 1<<20+7)
	for i := range noise {
		noise[i] = byte(i*i>>7 + i)
	}
	return disk{first, string(noise), size}
}

func (d disk) ReadAt(p []byte, off int64) (int, error) {
	n := int(min(int64(len(p)), max(0, d.size-off)))
	for done := 0; done < n; {
		done += copy(p[done:n], d.noise[(off+int64(done))%int64(len(d.noise)):])
	}
	if off < int64(len(d.first)) {
		copy(p[:n], d.first[off:])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// source gives the disk as what a Put stores.
func (d disk) source(t *testing.T) backend.Source {
	t.Helper()
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(d, 0, d.size)); err != nil {
		t.Fatal(err)
	}
	return backend.Source{ReaderAt: d, Size: d.size, SHA256: [sha256.Size]byte(h.Sum(nil))}
}

// holds checks that an object has a disk's bytes and says so.
func (d disk) holds(t *testing.T, s backend.Store, key backend.Key) {
	t.Helper()
	want := d.source(t)
	info, err := s.Stat(t.Context(), key)
	if err != nil || info.Size != d.size || info.SHA256 != want.SHA256 {
		t.Errorf("Stat = %+v, %v; want %d bytes, sha256 %x", info, err, d.size, want.SHA256)
	}
	body, err := s.Open(t.Context(), key, backend.Range{Len: backend.ToEnd}, info.Version)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = body.Close() }() // read to its end
	h := sha256.New()
	if _, err := io.Copy(h, body); err != nil || [sha256.Size]byte(h.Sum(nil)) != want.SHA256 {
		t.Errorf("read bytes of sha256 %x, %v; want %x", h.Sum(nil), err, want.SHA256)
	}
}

// journalled gives a server behind a proxy and a store with a journal.
func journalled(t *testing.T) (*proxy, s3store.Config, *s3store.Store) {
	t.Helper()
	s, _ := gateway(t)
	s.account(t)
	p := newProxy(t, s.endpoint, plainHTTP)
	cfg := s.config()
	cfg.Endpoint, cfg.Journal = p.URL, filepath.Join(t.TempDir(), "journal")
	return p, cfg, open(t, cfg)
}

// breakLastPart refuses the third part, as long as on holds, when the others are through.
func breakLastPart(p *proxy, on *atomic.Bool) {
	through := make(chan struct{}, 2)
	no := refuse(anything, http.StatusForbidden, "AccessDenied")
	p.change = func(w http.ResponseWriter, r *http.Request) bool {
		if !isPart(of(r)) || of(r).query.Get("partNumber") != "3" || !on.Load() {
			return true
		}
		<-through
		<-through
		return no(w, r)
	}
	p.lose = func(r *http.Request) bool {
		if on.Load() && isPart(of(r)) {
			through <- struct{}{}
		}
		return false
	}
}

func notes(t *testing.T, cfg s3store.Config) int {
	t.Helper()
	names, err := os.ReadDir(cfg.Journal)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return len(names)
}

// All checksums work, on servers that verify them and on one that doesn't know
// them; also if nobody told the digest.
func TestLargeObject(t *testing.T) {
	first, _ := gateway(t)
	first.account(t)
	for _, c := range []struct {
		name     string
		server   server
		checksum string
	}{
		{"crc64nvme", first, "crc64nvme"}, {"crc32", first, "crc32"}, {"none", first, "none"}, {"second server", second(t), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := c.server.config()
			cfg.Checksum = c.checksum
			store := open(t, cfg)
			d := newDisk(c.name, large)
			src := d.source(t)
			src.SHA256 = [sha256.Size]byte{}
			info, err := store.Put(t.Context(), "disk", src, backend.Cond{IfAbsent: true})
			if err != nil {
				t.Fatal(err)
			}
			d.holds(t, store, "disk")
			if st, err := store.Stat(t.Context(), "disk"); err != nil || st.Version != info.Version {
				t.Errorf("Stat gives version %q, %v; Put %q", st.Version, err, info.Version)
			}
		})
	}
}

func TestUploadResumes(t *testing.T) {
	p, cfg, store := journalled(t)
	var broken atomic.Bool
	broken.Store(true)
	breakLastPart(p, &broken)
	d := newDisk("resume", large)
	if _, err := store.Put(t.Context(), "disk", d.source(t), backend.Cond{}); !errors.Is(err, fs.ErrPermission) {
		t.Fatalf("Put: %v; want ErrPermission", err)
	}
	if _, err := store.Stat(t.Context(), "disk"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("half an upload is to be seen: %v", err)
	}
	broken.Store(false)
	p.forget()
	info, err := open(t, cfg).Put(t.Context(), "disk", d.source(t), backend.Cond{IfAbsent: true})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(p.requests(func(s seen) bool { return isPart(s) && strings.HasSuffix(s.path, "/disk") })); n != 1 {
		t.Errorf("%d parts were sent; want the one that was missing", n)
	}
	if n := notes(t, cfg); n != 0 {
		t.Errorf("%d notes are left in the journal", n)
	}
	d.holds(t, store, "disk")
	if st, err := store.Stat(t.Context(), "disk"); err != nil || st.Version != info.Version {
		t.Errorf("Stat gives version %q, %v; Put %q", st.Version, err, info.Version)
	}
}

// Other bytes for the same object end the upload of those before.
func TestUploadOfOtherBytesEndsTheFormer(t *testing.T) {
	p, cfg, store := journalled(t)
	var broken atomic.Bool
	broken.Store(true)
	breakLastPart(p, &broken)
	if _, err := store.Put(t.Context(), "disk", newDisk("former", large).source(t), backend.Cond{}); err == nil {
		t.Fatal("Put: nil; want an error")
	}
	broken.Store(false)
	p.forget()
	d := newDisk("latter", large)
	if _, err := store.Put(t.Context(), "disk", d.source(t), backend.Cond{}); err != nil {
		t.Fatal(err)
	}
	if parts, aborts := len(p.requests(isPart)), len(p.requests(isAbort)); parts != 3 || aborts != 1 {
		t.Errorf("%d parts, %d aborts; want 3, 1", parts, aborts)
	}
	if n := notes(t, cfg); n != 0 {
		t.Errorf("%d notes are left in the journal", n)
	}
	d.holds(t, store, "disk")
}

// Where only the last answer was lost, nothing is sent again.
func TestUploadWhoseEndWasLost(t *testing.T) {
	p, _, store := journalled(t)
	var losing atomic.Bool
	losing.Store(true)
	p.lose = func(r *http.Request) bool { return isComplete(of(r)) && losing.CompareAndSwap(true, false) }
	d := newDisk("lost", large)
	w, _ := backend.As[backend.Writer](backend.Retry(store, backend.Policy{}))
	if _, err := w.Put(t.Context(), "disk", d.source(t), backend.Cond{}); err != nil {
		t.Fatal(err)
	}
	if n := len(p.requests(isPart)); n != 3 {
		t.Errorf("%d parts were sent; want 3", n)
	}
	d.holds(t, store, "disk")
}

// Without a journal an upload that fails leaves nothing in the store.
func TestUploadWithoutJournalCleansUp(t *testing.T) {
	p, cfg, _ := journalled(t)
	cfg.Journal = ""
	var broken atomic.Bool
	broken.Store(true)
	breakLastPart(p, &broken)
	if _, err := open(t, cfg).Put(t.Context(), "disk", newDisk("x", large).source(t), backend.Cond{}); err == nil {
		t.Fatal("Put: nil; want an error")
	}
	if n := len(p.requests(isAbort)); n != 1 {
		t.Errorf("%d aborts; want 1", n)
	}
}

// A part that the store is too busy for is sent again.
func TestPartIsTriedAgain(t *testing.T) {
	p, _, store := journalled(t)
	var busy atomic.Int64
	busy.Store(1)
	slow := refuse(isPart, http.StatusServiceUnavailable, "SlowDown")
	p.change = func(w http.ResponseWriter, r *http.Request) bool {
		return !isPart(of(r)) || busy.Add(-1) < 0 || slow(w, r)
	}
	d := newDisk("again", large)
	if _, err := store.Put(t.Context(), "disk", d.source(t), backend.Cond{}); err != nil {
		t.Fatal(err)
	}
	d.holds(t, store, "disk")
}

// Whatever is wrong with a large source, no object appears.
func TestLargeSourceThatIsWrong(t *testing.T) {
	p, cfg, store := journalled(t)
	good := newDisk("good", large).source(t)
	evil := good
	evil.ReaderAt = newDisk("evil", large)
	short := good
	short.Size += part
	for _, c := range []struct {
		name string
		src  backend.Source
		want error
	}{{"digest", evil, backend.ErrDigest}, {"shorter", short, io.ErrUnexpectedEOF}} {
		p.forget()
		_, err := store.Put(t.Context(), "disk", c.src, backend.Cond{})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v; want %v", c.name, err, c.want)
		}
		if _, err := store.Stat(t.Context(), "disk"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: Stat: %v; want ErrNotExist", c.name, err)
		}
		if made, ended := len(p.requests(isCreate)), len(p.requests(isAbort)); made != ended || notes(t, cfg) != 0 {
			t.Errorf("%s: %d uploads, %d ended, %d notes", c.name, made, ended, notes(t, cfg))
		}
	}
}

// The condition holds where the object appears, not where the upload began.
func TestConditionOfLargeObject(t *testing.T) {
	p, cfg, store := journalled(t)
	var once sync.Once
	other := open(t, cfg)
	p.change = func(_ http.ResponseWriter, r *http.Request) bool {
		if isPart(of(r)) && strings.HasSuffix(r.URL.Path, "/disk") {
			once.Do(func() { put(t, other, "disk", []byte("first")) })
		}
		return true
	}
	d := newDisk("second", large)
	_, err := store.Put(t.Context(), "disk", d.source(t), backend.Cond{IfAbsent: true})
	if !errors.Is(err, backend.ErrCondition) {
		t.Errorf("Put: %v; want ErrCondition", err)
	}
	if got := read(t, store, "disk"); got != "first" {
		t.Errorf("read %q; want first", got)
	}
	p.forget()
	_, err = store.Put(t.Context(), "disk", d.source(t), backend.Cond{IfAbsent: true})
	if !errors.Is(err, backend.ErrCondition) || len(p.requests(isPart)) != 0 {
		t.Errorf("Put over an object: %v after %d parts; want ErrCondition after none", err, len(p.requests(isPart)))
	}
	info, err := store.Stat(t.Context(), "disk")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Put(t.Context(), "disk", d.source(t), backend.Cond{IfMatch: info.Version}); err != nil {
		t.Errorf("Put over the version that is there: %v", err)
	}
	d.holds(t, store, "disk")
}

// Whoever uploads the same at the same time gets an upload of its own.
func TestTwoUploadsOfTheSame(t *testing.T) {
	p, cfg, store := journalled(t)
	both := make(chan struct{}, 2)
	both <- struct{}{}
	met := make(chan struct{})
	p.change = func(_ http.ResponseWriter, r *http.Request) bool {
		if isCreate(of(r)) {
			select {
			case <-both: // the first waits for the second
				<-met
			default:
				close(met)
			}
		}
		return true
	}
	d := newDisk("twice", large)
	src := d.source(t)
	var wg sync.WaitGroup
	for _, s := range []*s3store.Store{store, open(t, cfg)} {
		wg.Go(func() {
			if _, err := s.Put(t.Context(), "disk", src, backend.Cond{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	d.holds(t, store, "disk")
	if n := notes(t, cfg); n != 0 {
		t.Errorf("%d notes are left in the journal", n)
	}
}

// What a web server needs to know goes with the object, small or large.
func TestHeaders(t *testing.T) {
	p, cfg, _ := journalled(t)
	cfg.ACL = "private"
	store := open(t, cfg)
	for _, c := range []struct {
		size int64
		kind func(seen) bool
	}{{10, isPut}, {large, isCreate}} {
		p.forget()
		src := newDisk("h", c.size).source(t)
		src.ContentType, src.CacheControl = "application/json", "max-age=300"
		if _, err := store.Put(t.Context(), "file", src, backend.Cond{}); err != nil {
			t.Fatal(err)
		}
		requests := p.requests(c.kind)
		if len(requests) != 1 {
			t.Fatalf("%d requests; want 1", len(requests))
		}
		got := requests[0].header
		for name, want := range map[string]string{"Content-Type": "application/json", "Cache-Control": "max-age=300", "X-Amz-Acl": "private"} {
			if !slices.Equal(got.Values(name), []string{want}) {
				t.Errorf("%d bytes: %s: %q; want %q", c.size, name, got.Values(name), want)
			}
		}
	}
}

func TestPartSize(t *testing.T) {
	const mib = 1 << 20
	for size, want := range map[int64]int64{
		part + 1: part, 3 << 30: part, 10_000 * part: part, 10_000*part + 1: part + mib, 5 << 40: 525 * mib,
	} {
		got := s3store.PartSize(size)
		if got != want || (size+got-1)/got > 10_000 {
			t.Errorf("parts of %d bytes for %d; want %d, at most 10,000 parts", got, size, want)
		}
	}
}
