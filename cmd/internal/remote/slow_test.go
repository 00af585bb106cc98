package remote_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cosafs/cmd/internal/remote"
)

// pipes is a listener whose connections live in memory, for tests in a bubble:
// there the real limits pass in no time.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   atomic.Bool
}

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	if p.once.CompareAndSwap(false, true) {
		close(p.closed)
	}
	return nil
}

func (p *pipes) Addr() net.Addr { return pipeAddr{} }

func (p *pipes) dial() net.Conn {
	ours, theirs := net.Pipe()
	p.conns <- theirs
	return ours
}

// inBubble serves files in a bubble, and gives connections to it.
func inBubble(t *testing.T, files http.HandlerFunc, test func(t *testing.T, dial func() net.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p := newPipes()
		w.cfg.Listeners, w.cfg.Everybody = []net.Listener{p}, "builder"
		w.doors.Files = files
		s, err := w.listen()
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
		ended := make(chan error, 1)
		go func() { ended <- s.Serve(ctx) }()
		var open []net.Conn
		test(t, func() net.Conn {
			c := p.dial()
			open = append(open, c)
			return c
		})
		for _, c := range open {
			_ = c.Close() // some were closed by the server
		}
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Serve = %v", err)
		}
	})
}

// send writes, and fails the test where that can't be done.
func send(t *testing.T, c io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

// untilClosed gives what comes, and when the server closed the connection.
func untilClosed(c io.Reader) (string, time.Duration) {
	began := time.Now()
	all, _ := io.ReadAll(c) // how it was closed says nothing
	return string(all), time.Since(began)
}

func TestSlowHeaderIsCut(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, dial func() net.Conn) { //nolint:thelper // it is the test, not a helper
		c := dial()
		send(t, c, "GET / HTTP/1.1\r\nHost: loc")
		if said, took := untilClosed(c); took != remote.HeaderTime {
			t.Errorf("closed after %v with %q, want %v", took, said, remote.HeaderTime)
		}
	})
}

// A byte now and then is no header either: slow loris.
func TestSlowLoris(t *testing.T) {
	w := newWorld(t)
	w.tune = func(s *remote.Server) { s.HeaderTime(100 * time.Millisecond) }
	w.start()
	c := w.dial()
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		_, _ = io.Copy(io.Discard, c) // it ends when the server closes
	}()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for header := "GET / HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 1<<20); ; header = header[1:] {
		_, _ = io.WriteString(c, header[:1]) // an error is what we wait for, too
		select {
		case <-closed:
			w.get("/", http.StatusOK)
			return
		case <-tick.C:
		}
	}
}

func TestHeaderFlood(t *testing.T) {
	w := newWorld(t).start()
	r := w.request(http.MethodGet, "/", nil)
	r.Header.Set("X", strings.Repeat("x", 2*remote.HeaderBytes))
	if resp, _ := w.do(r); resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("got %s", resp.Status)
	}
}

// Who takes nothing is cut off, who takes little is not.
func TestAnswerHasToGetOn(t *testing.T) {
	var failed chan error
	endless := func(w http.ResponseWriter, _ *http.Request) {
		block := make([]byte, 4*remote.Piece)
		for {
			if _, err := w.Write(block); err != nil {
				failed <- err
				return
			}
		}
	}
	inBubble(t, endless, func(t *testing.T, dial func() net.Conn) { //nolint:thelper // it is the test, not a helper
		failed = make(chan error, 1) // made in here, so that waiting for it lets the clock go on
		c := dial()
		send(t, c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
		part := make([]byte, remote.Piece)
		began := time.Now()
		for range 20 {
			<-time.After(remote.StallTime / 3)
			if _, err := io.ReadFull(c, part); err != nil {
				t.Fatalf("cut off after %v: %v", time.Since(began), err)
			}
		}
		began = time.Now()
		err := <-failed
		if took := time.Since(began); !errors.Is(err, os.ErrDeadlineExceeded) || took > remote.StallTime {
			t.Errorf("after %v: %v, want a deadline of %v", took, err, remote.StallTime)
		}
	})
}

// A file goes the kernel's way, and is cut off all the same.
func TestStalledDownloadIsCut(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "image")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	const size = 64 << 20 // more than the buffers of a connection hold
	if err := file.Truncate(size); err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 1)
	w := newWorld(t)
	w.tune = func(s *remote.Server) { s.Stall(100 * time.Millisecond) }
	w.doors.Files = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "67108864")
		_, err := io.Copy(w, file)
		failed <- err
	})
	w.start()
	c := w.dial()
	send(t, c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if err := <-failed; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the download ended with %v", err)
	}
	if n, _ := io.Copy(io.Discard, c); n >= size {
		t.Errorf("all %d bytes came", n)
	}
}

// A body that doesn't come is not waited for, whether the handler reads it or
// net/http does, before it answers.
func TestBodyHasToGetOn(t *testing.T) {
	read := func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err != nil {
			w.WriteHeader(http.StatusRequestTimeout)
		}
	}
	refuse := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }
	for name, files := range map[string]http.HandlerFunc{"read": read, "refused": refuse} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, files, func(t *testing.T, dial func() net.Conn) { //nolint:thelper // it is the test, not a helper
				c := dial()
				send(t, c, "PROPFIND / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n<")
				if said, took := untilClosed(c); took < remote.StallTime/2 || took > remote.StallTime || !strings.HasPrefix(said, "HTTP/1.1 4") {
					t.Errorf("closed after %v with %q, want %v", took, said, remote.StallTime)
				}
			})
		})
	}
}

// A GET may wait as long as a build takes, and a connection may go on after it.
func TestWaitIsNotCut(t *testing.T) {
	files := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // the deadline of reading must be gone, too
		w.WriteHeader(http.StatusProcessing)
		select {
		case <-time.After(25 * time.Minute):
		case <-r.Context().Done():
			t.Errorf("the wait ended: %v", context.Cause(r.Context()))
		}
		_, _ = io.WriteString(w, "built")
	}
	inBubble(t, files, func(t *testing.T, dial func() net.Conn) { //nolint:thelper // it is the test, not a helper
		c := dial()
		from := bufio.NewReader(c)
		for range 2 {
			send(t, c, "PROPFIND / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n<")
			for _, want := range []int{http.StatusProcessing, http.StatusOK} {
				resp, err := http.ReadResponse(from, nil)
				if err != nil || resp.StatusCode != want {
					t.Fatalf("got %v, %v, want %d", resp, err, want)
				}
				body, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close() // it was read to its end
				if want == http.StatusOK && (err != nil || string(body) != "built") {
					t.Errorf("got %q, %v", body, err)
				}
			}
		}
	})
}

// counting tells how much of a file was read, rather than sent by the kernel.
type counting struct {
	*os.File
	read int
}

func (c *counting) Read(b []byte) (int, error) {
	n, err := c.File.Read(b)
	c.read += n
	return n, err
}

// Images don't pass through this process.
func TestFilesAreSentByTheKernel(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "image")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	const size = 3*remote.Piece + 7
	if err := file.Truncate(size + 100); err != nil {
		t.Fatal(err)
	}
	src := &counting{File: file}
	w := newWorld(t)
	w.doors.Files = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "786439")
		if n, err := io.CopyN(w, src, size); n != size || err != nil {
			t.Errorf("sent %d bytes, %v", n, err)
		}
	})
	w.start()
	if body := w.get("/", http.StatusOK); len(body) != size {
		t.Errorf("%d bytes came, want %d", len(body), size)
	}
	if src.read > 512 { // net/http looks at the first bytes itself
		t.Errorf("%d bytes were read by the process", src.read)
	}
}
