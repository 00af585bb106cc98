package remote_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"cosafs/cmd/internal/remote"
)

// What is asked while the server ends is finished, if it is small; and then
// nobody is let in.
func TestStopFinishesAnswers(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	w := newWorld(t)
	w.tune = func(s *remote.Server) { s.Patience(time.Minute, time.Minute) }
	w.doors.Files = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-release
		if err := r.Context().Err(); err != nil {
			t.Errorf("the request ended before its time: %v", err)
		}
		_, _ = io.WriteString(w, "whole")
	})
	w.start()
	answer := make(chan string, 1)
	go func() {
		_, body := w.do(w.request(http.MethodGet, "/", nil))
		answer <- body
	}()
	<-entered
	w.stop()
	w.untilRefused()
	close(release)
	if body := <-answer; body != "whole" {
		t.Errorf("got %q", body)
	}
	<-w.ended
}

// untilRefused returns when nobody listens any more.
func (w *world) untilRefused() {
	for {
		resp, err := http.DefaultTransport.RoundTrip(w.request("PATCH", "/v1/none", nil))
		if err != nil {
			return
		}
		_ = resp.Body.Close() // it only showed that somebody listens
	}
}

// Waits for builds are told, and endless downloads are cut off.
func TestStopEndsWaits(t *testing.T) {
	entered := make(chan struct{}, 2)
	w := newWorld(t)
	w.tune = func(s *remote.Server) { s.Patience(10*time.Millisecond, 500*time.Millisecond) }
	w.doors.Files = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		if r.URL.Path == "/wait" {
			<-r.Context().Done()
			if errors.Is(context.Cause(r.Context()), context.Canceled) {
				t.Error("the wait was not told why it ended")
			}
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		for {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				return
			}
		}
	})
	w.start()
	waited := make(chan int, 1)
	go func() {
		resp, _ := w.do(w.request(http.MethodGet, "/wait", nil))
		waited <- resp.StatusCode
	}()
	resp, err := http.DefaultTransport.RoundTrip(w.request(http.MethodGet, "/download", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	<-entered
	<-entered
	w.stop()
	if got := <-waited; got != http.StatusServiceUnavailable {
		t.Errorf("the wait = %d", got)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err == nil {
		t.Error("the download looks whole")
	}
	<-w.ended
	if log := w.log.String(); !strings.Contains(log, "cut off") {
		t.Errorf("log: %s", log)
	}
}

// A server that is ended before it began lets go of its address.
func TestServeAfterTheEnd(t *testing.T) {
	w := newWorld(t)
	s, err := w.listen()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Serve(ctx); err != nil {
		t.Errorf("Serve = %v", err)
	}
	_, w.cfg.Addr, _ = strings.Cut(s.URLs()[0], "://")
	w.start()
}
