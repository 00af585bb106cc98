package test

import (
	"context"
	"crypto/sha256"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"sync"
	"testing"
	"time"

	"cosafs/materialize"
	"cosafs/test/davclient"
	"cosafs/vfs"
	"cosafs/vfs/davfs"
	"cosafs/vfs/vfstest"
)

// interim is the time between two interim answers of these tests' servers. neon
// up to 0.32 bears 128 of them.
const interim = 200 * time.Millisecond

// A gate is a WebDAV door over one file that comes to be when the test says so.
type gate struct {
	testing.TB
	lib  *vfstest.Library
	item vfstest.Item
	url  string // of the file

	mu       sync.Mutex
	gets     int // that were asked for the file
	pending  int // of them, those without an answer yet
	interims int // interim answers to them
}

// metronome is another file of each gate. It never comes to be.
const metronome = "/43.1/x86_64/metronome.raw"

// newGate makes a door. The file is listed with its size for clients that want that,
// else it has none.
func newGate(tb testing.TB, sized bool, fail materialize.Class) *gate {
	tb.Helper()
	g := &gate{TB: tb, item: vfstest.Item{
		Path: "43.1/x86_64/os-43.1-metal.x86_64.raw", Kind: "metal", Random: 3 << 20, Gate: "gate",
		Missing: sized, Buildable: !sized, Fail: fail, Reason: "the guest has no room for /boot",
	}}
	fixture := vfstest.Fixture{Latest: "43.1", Items: []vfstest.Item{
		g.item, {Path: metronome[1:], Kind: "metal", Buildable: true, Gate: "never"},
		{Path: "builds.json", Text: "{}"}, {Path: "43.1/x86_64/meta.json", Text: "{}"},
	}}
	var err error
	if g.lib, err = vfstest.NewLibrary(fixture, tb.TempDir()); err != nil {
		tb.Fatal(err)
	}
	door := davfs.New(davfs.Config{Tree: vfs.New(g.lib, vfs.Options{}), Interim: interim})
	server := httptest.NewServer(g.counting(door))
	tb.Cleanup(server.Close)
	tb.Cleanup(server.CloseClientConnections)
	g.url = server.URL + "/" + g.item.Path
	return g
}

// counting counts what is asked for the file.
func (g *gate) counting(door http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != "/"+g.item.Path {
			door.ServeHTTP(w, r)
			return
		}
		g.add(1, 1, 0)
		defer g.add(0, -1, 0)
		door.ServeHTTP(&counter{w, g}, r)
	})
}

func (g *gate) add(gets, pending, interims int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.gets, g.pending, g.interims = g.gets+gets, g.pending+pending, g.interims+interims
}

func (g *gate) asked() (gets, pending, interims int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.gets, g.pending, g.interims
}

// counter counts the interim answers to one GET.
type counter struct {
	http.ResponseWriter
	gate *gate
}

func (c *counter) WriteHeader(status int) {
	if status < 200 {
		c.gate.add(0, 0, 1)
	}
	c.ResponseWriter.WriteHeader(status)
}

// Unwrap lets [http.ResponseController] through.
func (c *counter) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// beats waits for so many interim answers to somebody else.
func (g *gate) beats(n int) {
	g.Helper()
	ctx, cancel := context.WithTimeout(g.Context(), time.Minute)
	defer cancel()
	trace := &httptrace.ClientTrace{Got1xxResponse: func(int, textproto.MIMEHeader) error {
		if n--; n == 0 {
			cancel()
		}
		return nil
	}}
	server := g.url[:len(g.url)-len(g.item.Path)-1]
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, trace), http.MethodGet, server+metronome, nil)
	if err != nil {
		g.Fatal(err)
	}
	req.Header.Set("User-Agent", "curl/8.0")
	if resp, err := http.DefaultClient.Do(req); err == nil {
		_ = resp.Body.Close() // of an answer that nobody wants
		g.Fatalf("the file that never comes to be: %s", resp.Status)
	}
	if n > 0 {
		g.Fatalf("%d interim answers too few within a minute", n)
	}
}

// waits waits until the client waits. Some send several GETs at once.
func (g *gate) waits(f *davclient.Fetch) {
	g.Helper()
	g.until("a GET waits", func() bool { return closed(f.Ended()) || g.waiting() > 0 })
	if closed(f.Ended()) {
		g.Fatalf("the client did not wait: %v", f.Wait())
	}
}

// waiting is how many GETs wait for the file, once the library knows of all of them.
func (g *gate) waiting() int {
	_, pending, _ := g.asked()
	return min(pending, g.lib.Counters().Waiting)
}

func (g *gate) until(what string, ok func() bool) {
	g.Helper()
	(&env{TB: g.TB}).eventually(what, 30*time.Second, ok)
}

// A client that asks for an image that is being made waits for it, however it is
// kept patient. One that is killed meanwhile costs nothing: the next one joins.
func TestDAVClientsWait(t *testing.T) {
	t.Parallel()
	for _, c := range davclient.All() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			c.Need(t)
			g := newGate(t, c.Sized, "")
			first := c.Start(t, g.url)
			g.waits(first)
			first.Kill()
			g.until("the GET of the killed client ends", func() bool {
				_, pending, _ := g.asked()
				return pending+g.lib.Counters().Waiting == 0
			})
			_, _, before := g.asked()
			second := c.Start(t, g.url)
			g.waits(second)
			g.beats(4)
			if g.waiting() == 0 {
				t.Errorf("the client waits no more: %v", second.Wait())
			}
			if _, _, interims := g.asked(); c.Interim && interims-before < 3 || !c.Interim && interims > 0 {
				t.Errorf("%d interim answers meanwhile, before that %d; want some: %t", interims-before, before, c.Interim)
			}
			g.lib.OpenGate("gate")
			if err := second.Wait(); err != nil {
				t.Fatal(err)
			}
			g.same(second.File)
			if n := g.lib.Counters().Made; n != 1 {
				t.Errorf("made %d times, want once", n)
			}
		})
	}
}

// same compares what was fetched with the file.
func (g *gate) same(file string) {
	g.Helper()
	want, err := g.item.Bytes()
	if err != nil {
		g.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		g.Fatal(err)
	}
	if sha256.Sum256(got) != sha256.Sum256(want) {
		g.Errorf("fetched %d other bytes, want %d", len(got), len(want))
	}
}

// What fails to be made is an error for each client, and never a file. None goes on
// asking.
func TestDAVClientsFail(t *testing.T) {
	t.Parallel()
	for _, c := range davclient.All() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			c.Need(t)
			g := newGate(t, c.Sized, materialize.ClassConfig)
			f := c.Start(t, g.url)
			g.waits(f)
			g.lib.OpenGate("gate")
			err := f.Wait()
			if err == nil {
				t.Error("the client says that it got the file")
			}
			if st, err := os.Stat(f.File); err == nil && st.Size() > 0 {
				t.Errorf("there is a file of %d bytes", st.Size())
			}
			gets, _, _ := g.asked()
			if gets > 1+c.Retries {
				t.Errorf("%d GETs, want %d at most", gets, 1+c.Retries)
			}
			t.Logf("%d GETs, then %v", gets, err)
		})
	}
}
