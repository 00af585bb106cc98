package davfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cosafs/vfs/vfstest"
)

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
	for _, c := range []struct {
		wait   time.Duration
		query  string
		header []string
	}{
		{grace, "", []string{"Prefer", "respond-async"}},
		{grace, "?wait=0", nil},
		{7 * time.Second, "?wait=7", nil},
		{9 * time.Second, "", []string{"Prefer", `foo, wait="9"; bar`}},
		{9 * time.Second, "", []string{"Prefer", "wait=9, respond-async"}},
		{time.Minute, "", []string{"Prefer", "wait=600"}},
		{time.Minute, "", []string{"User-Agent", "Wget/1.21.3"}},
		{time.Minute, "?wait=none", nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			w, began := newDoor(t, Config{Wait: time.Minute}), time.Now()
			res, body := w.answer(http.StatusServiceUnavailable, http.MethodGet, slow+c.query, c.header...)
			if res.Header.Get("Retry-After") == "" || len(body) == 0 {
				t.Errorf("%q: %v %q", c.header, res.Header, body)
			}
			if took := time.Since(began); took != c.wait {
				t.Errorf("%q %q: after %v, want %v", c.query, c.header, took, c.wait)
			}
			if got := w.lib.Counters(); got.Waiting != 0 || got.Opens != 1 {
				t.Errorf("%+v, want an open that was left", got)
			}
		})
	}
}

// apt follows redirects, each to another address, until the file is there.
func TestAptIsLedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newDoor(t, Config{})
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
	})
}

// It is not led on for ever.
func TestAptIsLedOnForAsLongAsOthersWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, began := newDoor(t, Config{Wait: time.Minute}), time.Now()
		at := slow
		for range 3 {
			res, _ := w.answer(http.StatusTemporaryRedirect, http.MethodGet, at, "User-Agent", "Debian APT-HTTP/1.3 (2.6.1)")
			at = strings.TrimPrefix(res.Header.Get("Location"), "/")
		}
		if took := time.Since(began); took != time.Minute {
			t.Errorf("three steps took %v", took)
		}
		w.answer(http.StatusServiceUnavailable, http.MethodGet, at, "User-Agent", "Debian APT-HTTP/1.3 (2.6.1)")
	})
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
	synctest.Test(t, browsersGetPages)
}

func browsersGetPages(t *testing.T) {
	t.Helper()
	w := newDoor(t, Config{Pages: pages{}})
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
	w.lib.OpenGate("slow")
	if _, body := w.answer(http.StatusOK, http.MethodGet, slow, browser...); !bytes.Equal(body, w.want(slow)) {
		t.Errorf("what is made by now: %d bytes", len(body))
	}
}

// What a browser asks on behalf of another site, or to have it ready, builds nothing.
func TestUninvitedRequestsBuildNothing(t *testing.T) {
	for _, p := range []Pages{nil, pages{}} {
		w := newWorld(t, Config{Pages: p})
		for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Sec-Purpose", "prefetch;prerender"}, {"Referer", "http://wiki.example/page"}} {
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
