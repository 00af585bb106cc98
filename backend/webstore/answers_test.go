package webstore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cosafs/backend"
	"cosafs/backend/webstore"
	"cosafs/test/s3server"
)

// countConns starts a server that counts its connections.
func countConns(t *testing.T, answer http.HandlerFunc) (url string, n *atomic.Int64) {
	t.Helper()
	n = new(atomic.Int64)
	srv := httptest.NewUnstartedServer(answer)
	srv.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			n.Add(1)
		}
	}
	srv.Start()
	t.Cleanup(srv.Close)
	return srv.URL, n
}

// Absence is 404 and 410, and nothing else is.
func TestAnswers(t *testing.T) {
	for status, want := range map[int]error{
		404: fs.ErrNotExist, 410: fs.ErrNotExist, 401: fs.ErrPermission, 403: fs.ErrPermission, 407: fs.ErrPermission,
		204: nil, 300: nil, 304: nil, 400: nil, 405: nil, 408: nil, 409: nil, 421: nil, 425: nil, 429: nil, 451: nil,
		500: nil, 501: nil, 502: nil, 503: nil, 504: nil, 511: nil, 599: nil,
	} {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		bothFail(t, fmt.Sprint("status ", status), s, "a", want)
	}
}

// The refusal of a HEAD is no proof: servers without HEAD say all kinds of things.
func TestServerWithoutHead(t *testing.T) {
	for _, status := range []int{400, 403, 404, 405, 501} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodHead {
				w.WriteHeader(status)
				return
			}
			file(w, r, "ETag", `"1"`)
		})
		if info, err := s.Stat(t.Context(), "a"); err != nil || info.Size != 10 || info.Version != `"1"` || !info.ModTime.Equal(old) {
			t.Errorf("HEAD gives %d: Stat = %+v, %v", status, info, err)
		}
	}
}

// Sizes come from somewhere else where a HEAD has none, or a wrong one of nothing.
func TestHeadWithoutSize(t *testing.T) {
	for name, size := range map[string]int{"no size": 10, "zero": 10, "zero, and right": 0} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"1"`)
			switch {
			case r.Method == http.MethodHead && name == "no size":
				w.Header().Set("Transfer-Encoding", "chunked")
			case r.Method == http.MethodHead:
				w.Header().Set("Content-Length", "0")
			case size == 0 && r.Header.Get("Range") != "":
				w.Header().Del("ETag") // as nginx does
				w.Header().Set("Content-Range", "bytes */0")
				w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			case size == 0:
				w.Header().Set("Content-Length", "0")
			default:
				file(w, r)
			}
		})
		if info, err := s.Stat(t.Context(), "a"); err != nil || info.Size != int64(size) || info.Version != `"1"` {
			t.Errorf("%s: Stat = %+v, %v; want %d bytes", name, info, err, size)
		}
	}
}

// What is not the file as it lies there is refused, and said what it is.
func TestNotTheFile(t *testing.T) {
	for _, c := range []struct {
		name    string
		key     backend.Key
		headers []string
		want    error  // nil: none of the sentinels
		says    string // "": it is the file
	}{
		{"a login page", "a/meta.json", []string{"Content-Type", "text/html; charset=utf-8"}, nil, "web page"},
		{"a page for an image", "a/b.qcow2", []string{"Content-Type", "TEXT/HTML"}, nil, "web page"},
		{"a page", "a/index.html", []string{"Content-Type", "text/html"}, nil, ""},
		{"compressed on the way", "a/meta.json", []string{"Content-Encoding", "gzip"}, errors.ErrUnsupported, "gzip"},
		{"stored compressed", "a/b.qcow2", []string{"Content-Encoding", "br", "ETag", `"1"`}, errors.ErrUnsupported, "br"},
		{"compressed twice", "a/b.gz", []string{"Content-Encoding", "gzip, br"}, errors.ErrUnsupported, "gzip, br"},
		{"labelled", "a/b.qcow2.gz", []string{"Content-Encoding", "x-gzip"}, nil, ""},
		{"as it is", "a/b", []string{"Content-Encoding", "identity"}, nil, ""},
	} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Accept-Encoding") != "identity" {
				t.Errorf("Accept-Encoding: %q", r.Header.Get("Accept-Encoding"))
			}
			w.Header().Set("Content-Length", "10") // ServeContent gives none with an encoding
			file(w, r, c.headers...)
		})
		if c.says == "" {
			info, serr := s.Stat(t.Context(), c.key)
			got, err := read(t, s, c.key, whole, info.Version)
			if err := errors.Join(serr, err); err != nil || got != "0123456789" {
				t.Errorf("%s: read %q, %v", c.name, got, err)
			}
			continue
		}
		bothFail(t, c.name, s, c.key, c.want)
		if _, err := s.Stat(t.Context(), c.key); err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v; want %q in it", c.name, err, c.says)
		}
	}
}

// An answer that has no length might have been cut off anywhere.
func TestAnswerWithoutLength(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"1"`)
		_ = http.NewResponseController(w).Flush() // so that it is sent in chunks
		if r.Method == http.MethodGet {
			_, _ = io.WriteString(w, "0123456789")
		}
	})
	bothFail(t, "no length", s, "a", errors.ErrUnsupported)
}

// Silence ends a request, before an answer and in its middle. Slowness does not.
func TestSilentServer(t *testing.T) {
	const silence = time.Second
	for _, c := range []struct{ name, got string }{{"silent", ""}, {"stops", "0"}, {"slow", "01234567"}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ended := make(chan struct{})
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Length", "8")
				for i := 0; c.name != "silent" && i < 8 && (i == 0 || c.name == "slow"); i++ {
					_, _ = fmt.Fprint(w, i)
					_ = http.NewResponseController(w).Flush() // it works with this server
					<-time.After(silence / 5)
				}
				if c.name != "slow" {
					<-ended
				}
			}))
			t.Cleanup(srv.Close)
			t.Cleanup(func() { close(ended) })
			s := open(t, webstore.Config{URL: srv.URL, Timeout: silence})
			start := time.Now()
			got, err := read(t, s, "a", whole, "")
			if c.name == "slow" && err != nil || c.name != "slow" && (err == nil || backend.Final(err) || errors.Is(err, context.DeadlineExceeded)) || got != c.got {
				t.Errorf("read %q, %v; want %q, and without it a mishap", got, err, c.got)
			}
			if took := time.Since(start); took < silence {
				t.Errorf("it took %v; want %v at least", took, silence)
			}
		})
	}
}

// Somebody who leaves is let go, whatever the server does.
func TestCancelledWaiting(t *testing.T) {
	asked, ended := make(chan struct{}), make(chan struct{})
	s := serve(t, func(http.ResponseWriter, *http.Request) {
		close(asked)
		<-ended
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	_, err := s.Stat(ctx, "a")
	wantError(t, "Stat", err, context.Canceled)
	close(ended)
}

// No answer is no statement about the file.
func TestNoAnswer(t *testing.T) {
	bothFail(t, "nobody there", open(t, webstore.Config{URL: "http://" + s3server.FreeAddr(t)}), "a", nil)
	bothFail(t, "no such host", open(t, webstore.Config{URL: "http://nobody.invalid/builds"}), "a", nil)
	cut := serve(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	bothFail(t, "a cut connection", cut, "a", nil)
}

// A body that stops in the middle is not its end; with mishaps tried again, the
// rest follows.
func TestBodyThatBreaks(t *testing.T) {
	var broken atomic.Bool
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead || r.Header.Get("Range") != "" || broken.Swap(true) {
			file(w, r, "ETag", `"1"`)
			return
		}
		w.Header().Set("ETag", `"1"`)
		w.Header().Set("Content-Length", "10")
		_, _ = io.WriteString(w, "0123")
		_ = http.NewResponseController(w).Flush() // it works with this server
		panic(http.ErrAbortHandler)
	})
	got, err := read(t, s, "a", whole, "")
	wantError(t, "a body that breaks", err, nil)
	if got != "0123" {
		t.Errorf("read %q; want what came", got)
	}
	broken.Store(false)
	got, err = read(t, backend.Retry(s, backend.Policy{First: time.Millisecond}), "a", whole, `"1"`)
	if err != nil || got != "0123456789" {
		t.Errorf("read %q, %v; want all", got, err)
	}
}
