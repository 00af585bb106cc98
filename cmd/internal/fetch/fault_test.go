package fetch_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"cosafs/backend"
	"cosafs/backend/backendtest"
	"cosafs/cmd/internal/fetch"
	"cosafs/materialize"
)

var none backend.Cond

const mib = 1 << 20

// failing gives a store that fails every look at a key.
func failing(s backend.Store, key backend.Key, err error) backend.Store {
	return backendtest.Faulty(s, backendtest.Fault{Op: backendtest.Stat, Key: key, Err: err})
}

// A fetch that fails has shown nothing, and the next one brings the rest only.
func TestFetchGoesOn(t *testing.T) {
	r := newRemote(t)
	r.add("1.1", x86, map[string][]byte{"qemu": noise(64*mib, 1)})
	key := backend.Key("1.1/x86_64/" + file("1.1", "qemu"))
	p := newPlace(t)
	one := func(o *fetch.Options) { o.Parallel = 1 }
	cut := errors.New("cut")
	s := backendtest.Faulty(&r.Store, backendtest.Fault{Op: backendtest.Open, Key: key, Nth: 3, At: mib, Err: cut})
	if _, err := p.fetch(s, one); !errors.Is(err, cut) {
		t.Fatalf("a cut connection: %v", err)
	}
	if class, hint := materialize.ClassOf(func() error { _, err := p.fetch(failing(r, key, cut), one); return err }()); class != materialize.ClassNetwork || hint == "" {
		t.Errorf("class %s, hint %q", class, hint)
	}
	if p.has("1.1") || p.has("builds.json") || p.has("latest") {
		t.Error("a fetch that failed shows something")
	}
	counted, counts := backendtest.Counting(&r.Store)
	p.mustFetch(counted, one)
	if got := counts.Bytes(backendtest.Open); got < 32*mib || got > 33*mib {
		t.Errorf("the rest is %d bytes; want the two ranges of 16 MiB that were missing", got)
	}
	p.nothingLeft()
}

func TestFetchStopsWithItsContext(t *testing.T) {
	r := newRemote(t)
	r.add("1.1", x86, map[string][]byte{"qemu": noise(48*mib, 1)})
	p := newPlace(t)
	ctx, cancel := context.WithCancel(t.Context())
	s := backendtest.Faulty(&r.Store, backendtest.Fault{Op: backendtest.Open, Key: backend.Key("1.1/x86_64/" + file("1.1", "qemu")), Nth: 3, Wait: make(chan struct{})})
	o := fetch.Options{Workdir: p.dir, Store: s, URL: url, Arch: x86, Artifacts: []string{"qemu"}, Parallel: 2}
	o.Tell = func(e materialize.Event) {
		if e.Fraction > 0.6 {
			cancel() // two of the three ranges are here
		}
	}
	if _, err := fetch.Run(ctx, o); !errors.Is(err, context.Canceled) {
		t.Fatalf("a cancelled fetch: %v", err)
	}
	counted, counts := backendtest.Counting(&r.Store)
	p.mustFetch(counted, nil)
	if got := counts.Bytes(backendtest.Open); got > 33*mib {
		t.Errorf("the rest is %d bytes; want two ranges at most", got)
	}
}

// Corrupt bytes are fetched once again, and never shown.
func TestFetchCorruptBytes(t *testing.T) {
	r := newRemote(t)
	qemu := noise(20*mib, 1)
	r.add("1.1", x86, map[string][]byte{"qemu": qemu})
	key := backend.Key("1.1/x86_64/" + file("1.1", "qemu"))

	p := newPlace(t)
	p.mustFetch(backendtest.Faulty(&r.Store, backendtest.Fault{Op: backendtest.Open, Key: key, Nth: 1, At: 5, Corrupt: true}), nil)
	if !bytes.Equal(p.read("builds/"+string(key)), qemu) {
		t.Error("wrong bytes were shown")
	}

	p = newPlace(t)
	counted, counts := backendtest.Counting(&r.Store)
	_, err := p.fetch(backendtest.Faulty(counted, backendtest.Fault{Op: backendtest.Open, Key: key, At: 5, Corrupt: true}), nil)
	if !errors.Is(err, materialize.ErrCorrupt) || p.has("1.1") || p.has("builds.json") {
		t.Errorf("a store with wrong bytes: %v", err)
	}
	if got := counts.Bytes(backendtest.Open); got < 40*mib || got > 41*mib {
		t.Errorf("%d bytes moved; want the image twice", got)
	}
}

// Progress goes back when bytes turn out to be wrong.
func TestFetchTellsOfLostProgress(t *testing.T) {
	r := newRemote(t)
	r.add("1.1", x86, map[string][]byte{"qemu": noise(20*mib, 1)})
	key := backend.Key("1.1/x86_64/" + file("1.1", "qemu"))
	again := make(chan struct{})
	s := backendtest.Faulty(&r.Store,
		backendtest.Fault{Op: backendtest.Open, Key: key, Nth: 1, At: 5, Corrupt: true},
		backendtest.Fault{Op: backendtest.Open, Key: key, Nth: 3, Wait: again}) // the second try
	var told []float64
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, err := fetch.Run(ctx, fetch.Options{
		Workdir: newPlace(t).dir, Store: s, URL: url, Arch: x86, Artifacts: []string{"qemu"}, Parallel: 1,
		Tell: func(e materialize.Event) {
			if told = append(told, e.Fraction); e.Fraction < 0.1 && len(told) > 2 {
				again = release(again)
			}
		},
	})
	if err != nil || told[len(told)-1] != 1 {
		t.Errorf("%v, told %v; want it to go back to the start and then to 1", err, told)
	}
}

// release closes a channel once.
func release(c chan struct{}) chan struct{} {
	if c != nil {
		close(c)
	}
	return nil
}

func TestFetchWrongSize(t *testing.T) {
	r := newRemote(t)
	r.add("1.1", x86, map[string][]byte{"qemu": []byte("right")})
	r.put("1.1/x86_64/"+file("1.1", "qemu"), []byte("longer"))
	counted, counts := backendtest.Counting(&r.Store)
	_, err := newPlace(t).fetch(counted, nil)
	if !errors.Is(err, materialize.ErrCorrupt) || counts.Calls(backendtest.Open) != 2 {
		t.Errorf("%v after %d opens; want ErrCorrupt after those of two documents", err, counts.Calls(backendtest.Open))
	}
}

// An interrupted store has something done to it before the second range of an
// object is opened.
type interrupted struct {
	backend.Store
	once sync.Once
	key  backend.Key
	do   func()
}

func (r *interrupted) Open(ctx context.Context, key backend.Key, rng backend.Range, version string) (io.ReadCloser, error) {
	if key == r.key && rng.Off > 0 {
		r.once.Do(r.do)
	}
	return r.Store.Open(ctx, key, rng, version)
}

// Bytes of two versions never mix; the new one is fetched from its start.
func TestFetchOfAnObjectThatChanges(t *testing.T) {
	r := newRemote(t)
	qemu := noise(20*mib, 1)
	r.add("1.1", x86, map[string][]byte{"qemu": qemu})
	key := "1.1/x86_64/" + file("1.1", "qemu")
	r.put(key, noise(20*mib, 2)) // being published, the old bytes are still there
	p := newPlace(t)
	s := &interrupted{Store: &r.Store, key: backend.Key(key), do: func() { r.put(key, qemu) }}
	p.mustFetch(s, func(o *fetch.Options) { o.Parallel = 1 })
	if !bytes.Equal(p.read("builds/"+key), qemu) {
		t.Error("the bytes are not those of the new version")
	}
	p.nothingLeft()
}

// Somebody else's fetch of the same directory is waited for, and what it brought
// isn't brought again.
func TestFetchTwiceAtOnce(t *testing.T) {
	r := newRemote(t)
	r.add("1.1", x86, map[string][]byte{"qemu": noise(20*mib, 1)})
	p := newPlace(t)
	s, counts := backendtest.Counting(&r.Store)
	var g sync.WaitGroup
	for range 3 {
		g.Go(func() {
			if _, err := p.fetch(s, nil); err != nil {
				t.Error(err)
			}
		})
	}
	g.Wait()
	if got := counts.Bytes(backendtest.Open); got > 21*mib {
		t.Errorf("%d bytes moved; want the image once", got)
	}
}

// A gate store lets nobody in before it is opened.
type gate struct {
	backend.Store
	entered, open chan struct{}
	once          sync.Once
}

func (g *gate) Stat(ctx context.Context, key backend.Key) (backend.Info, error) {
	g.once.Do(func() { close(g.entered) })
	<-g.open
	return g.Store.Stat(ctx, key)
}

func TestFetchWaitsForSoLong(t *testing.T) {
	r := newRemote(t)
	r.add("1.1", x86, map[string][]byte{"qemu": []byte("q")})
	p := newPlace(t)
	s := &gate{Store: r, entered: make(chan struct{}), open: make(chan struct{})}
	done := make(chan error)
	go func() {
		_, err := p.fetch(s, nil)
		done <- err
	}()
	<-s.entered
	var told []string
	_, err := p.fetch(r, func(o *fetch.Options) {
		o.LockWait = time.Millisecond
		o.Tell = func(e materialize.Event) { told = append(told, e.Message) }
	})
	if class, hint := materialize.ClassOf(err); class != materialize.ClassTool || hint == "" || !strings.Contains(strings.Join(told, ""), "process") {
		t.Errorf("%v, hint %q, told %q; want who works here", err, hint, told)
	}
	close(s.open)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A bragging store has an object too large for any disk.
type bragging struct{ backend.Store }

func (b bragging) Stat(ctx context.Context, key backend.Key) (backend.Info, error) {
	info, err := b.Store.Stat(ctx, key)
	if strings.HasSuffix(string(key), "ostree-commit-object") {
		info.Size = 1 << 60
	}
	return info, err
}

func TestFetchNeedsSpace(t *testing.T) {
	r := newRemote(t)
	r.add("1.1", x86, map[string][]byte{"qemu": []byte("q")})
	p := newPlace(t)
	_, err := p.fetch(bragging{r}, nil)
	if class, _ := materialize.ClassOf(err); class != materialize.ClassSpace || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("an exabyte: %v", err)
	}
	if p.has("1.1") {
		t.Error("the build is there all the same")
	}
}

// A store that knows neither ranges nor versions is read in one piece.
type plain struct{ backend.Store }

func (p plain) Properties() backend.Properties { return backend.Properties{} }

func (p plain) Stat(ctx context.Context, key backend.Key) (backend.Info, error) {
	info, err := p.Store.Stat(ctx, key)
	info.Version = ""
	return info, err
}

func TestFetchInOnePiece(t *testing.T) {
	r := newRemote(t)
	r.add("1.1", x86, map[string][]byte{"qemu": noise(20*mib, 1)})
	p := newPlace(t)
	s, counts := backendtest.Counting(plain{r})
	key := backend.Key("1.1/x86_64/" + file("1.1", "qemu"))
	if _, err := p.fetch(backendtest.Faulty(s, backendtest.Fault{Op: backendtest.Open, Key: key, At: 17 * mib, Err: errors.New("cut")}), nil); err == nil {
		t.Fatal("a cut connection was no error")
	}
	p.mustFetch(s, nil)
	if calls := counts.Calls(backendtest.Open); calls > 10 {
		t.Errorf("%d opens; want one a file", calls)
	}
}

func TestFetchFromAStoreThatRefuses(t *testing.T) {
	p := newPlace(t)
	_, err := p.fetch(failing(newRemote(t), "builds.json", fs.ErrPermission), nil)
	if class, hint := materialize.ClassOf(err); !errors.Is(err, fs.ErrPermission) || class != materialize.ClassConfig || hint == "" {
		t.Errorf("refused credentials: %v, %q", err, hint)
	}
}
