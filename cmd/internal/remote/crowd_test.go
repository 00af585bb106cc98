package remote_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"cosafs/cmd/internal/remote"
)

// knock opens a connection and asks for something on it, so that it counts. It
// gives the status, 0 where nothing was answered.
func (w *world) knock() (net.Conn, int) {
	w.Helper()
	c := w.dial()
	return c, w.ask(c)
}

// ask asks for something, and gives the status, 0 where nothing was answered.
func (w *world) ask(c net.Conn) int {
	w.Helper()
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n") // one that is closed already shows below
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close() // what was said does not matter
	if resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") == "" {
		w.Error("a 503 does not say when to come back")
	}
	return resp.StatusCode
}

// Those who are too many are told, and those who are far too many are not even
// spoken to; who has come before is served.
func TestConnectionFlood(t *testing.T) {
	const most = 3
	w := newWorld(t)
	w.cfg.MaxConns = most
	w.start()
	var inside []net.Conn
	for range most {
		c, status := w.knock()
		if status != http.StatusOK {
			t.Fatalf("got %d", status)
		}
		inside = append(inside, c)
	}
	if _, status := w.knock(); status != http.StatusServiceUnavailable {
		t.Errorf("one too many: %d", status)
	}
	for range 2 * remote.SpareConns {
		w.dial()
	}
	if _, status := w.knock(); status != 0 {
		t.Errorf("far too many: %d", status)
	}
	if status := w.ask(inside[0]); status != http.StatusOK {
		t.Errorf("who was inside: %d", status)
	}
}

// Who leaves makes room.
func TestConnectionsAreCountedOut(t *testing.T) {
	w := newWorld(t)
	w.cfg.MaxConns = 1
	w.start()
	c, status := w.knock()
	if status != http.StatusOK {
		t.Fatalf("got %d", status)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	for { // until the server has noticed, or the test times out
		c, status := w.knock()
		if status == http.StatusOK {
			return
		}
		_ = c.Close() // try again
	}
}

func TestManyClients(t *testing.T) {
	w := newWorld(t)
	text := strings.Repeat("0123456789abcdef", 1<<12)
	w.doors.Files = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			http.ServeContent(w, r, "x.raw", time.Time{}, strings.NewReader(text))
			return
		}
		n, err := io.Copy(io.Discard, r.Body)
		_, _ = fmt.Fprint(w, n, err)
	})
	w.start()
	var clients sync.WaitGroup
	for i := range 40 {
		clients.Go(func() {
			tr := &http.Transport{}
			defer tr.CloseIdleConnections()
			for range 10 {
				if resp, body := w.doBy(tr, w.request(http.MethodGet, "/", nil)); resp.StatusCode != 200 || body != text {
					t.Errorf("client %d: %s, %d bytes", i, resp.Status, len(body))
				}
				if _, body := w.doBy(tr, w.request("PROPFIND", "/", strings.NewReader(text))); body != fmt.Sprint(len(text), nil) {
					t.Errorf("client %d: %q", i, body)
				}
			}
		})
	}
	clients.Wait()
}
