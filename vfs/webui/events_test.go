package webui_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cosafs/materialize"
	"cosafs/vfs/access"
	"cosafs/vfs/webui"
)

// A wire is an answer that a client reads through a pipe, with deadlines as a
// connection has them.
type wire struct {
	net.Conn
	header http.Header
	status int
}

func (w *wire) Header() http.Header  { return w.header }
func (w *wire) WriteHeader(code int) { w.status = code }
func (w *wire) FlushError() error    { return nil }

// watch opens a stream of events. gone gives true when its handler has returned.
func watch(t *testing.T, ctx context.Context, h http.Handler, job, last string) (src *source, client net.Conn, gone <-chan struct{}) { //nolint:revive // t comes first in helpers
	t.Helper()
	client, server := net.Pipe()
	r := httptest.NewRequestWithContext(access.With(ctx, access.Caller{Role: access.Reader}), "GET", "/v1/jobs/"+job+"/events", nil)
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		defer func() { _ = server.Close() }()
		h.ServeHTTP(&wire{Conn: server, header: http.Header{}}, r)
	}()
	t.Cleanup(func() { _ = client.Close(); <-over })
	return newSource(client), client, over
}

// A job's life as it is watched: how it stands at once, what is new within a
// second, a sign of life where nothing is, and its end.
func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newWorkshop()
		s.begin("j", "41.1")
		s.print("j", "== compose\n")
		src, _, gone := watch(t, t.Context(), webui.Handler(s), "j", "")
		began := time.Now()
		src.want(t, "progress", `{"fraction":-1,"state":"running","waiters":1}`)
		if e := src.want(t, "log", `{"text":"== compose\n","offset":0}`); e.id != "11" || src.retry != "2000" {
			t.Errorf("id %q, retry %q, want 11, 2000", e.id, src.retry)
		}
		if !time.Now().Equal(began) {
			t.Errorf("it took %v to tell how it stands", time.Since(began))
		}
		s.change("j", func(j *materialize.JobInfo) { j.Phase, j.Fraction = "rpm", 0.5 })
		src.want(t, "progress", `{"phase":"rpm","fraction":0.5,"state":"running","waiters":1}`)
		if d := time.Since(began); d > time.Second {
			t.Errorf("progress after %v", d)
		}
		src.want(t, "", "")
		if d := time.Since(began); d != 15*time.Second {
			t.Errorf("sign of life after %v", d)
		}
		s.print("j", "bad\n")
		src.want(t, "log", `{"text":"bad\n","offset":11}`)
		s.end("j", materialize.Fail(materialize.ClassPackage, "compose", "fix it", errors.New("no such package")))
		src.want(t, "progress", `"state":"failed"`)
		e := src.want(t, "end", `{"state":"failed","error":"compose: no such package","class":"package","hint":"fix it"}`)
		<-gone
		if now, _ := s.followers(); now != 0 || e.id != "end" {
			t.Errorf("%d followers after the end, id %q", now, e.id)
		}
	})
}

// A client that was cut off goes on where it was, or is told that it has all.
func TestEventsResume(t *testing.T) {
	s := newWorkshop()
	s.begin("j", "41.1")
	text := strings.Repeat("0123456789\n", 100_000) // 1.1 MB: more than is kept at hand
	s.print("j", text)
	s.end("j", nil)
	h := webui.Handler(s)
	for last, want := range map[string]string{
		"": text, "0": text, "11": text[11:], "1000000": text[1000000:], "1099999": "\n", "1100000": "", "1200000": "", "-5": text, "nonsense": text,
	} {
		w := ask(t, h, access.Reader, "GET", "/v1/jobs/j/events", "", "Last-Event-ID: "+last)
		list := newSource(w.Body).all(t)
		if got := logOf(t, list); got != want {
			t.Errorf("after %q: %d bytes, want %d", last, len(got), len(want))
		}
		if got := w.Header().Get("Content-Type"); got != "text/event-stream" || list[len(list)-1].name != "end" || list[0].name != "progress" {
			t.Errorf("after %q: %s: %s", last, got, named(list))
		}
		for _, e := range list {
			if len(e.data) > 100<<10 {
				t.Errorf("an event of %d bytes", len(e.data))
			}
		}
	}
	if w := ask(t, h, access.Reader, "GET", "/v1/jobs/j/events", "", "Last-Event-ID: end"); w.Code != http.StatusNoContent || w.Body.Len() != 0 {
		t.Errorf("after the end: %d %q, want 204", w.Code, w.Body)
	}
}

// However a log's bytes come, characters stay whole, and each id is a place to go
// on from.
func TestEventsKeepCharacters(t *testing.T) {
	const text = "gr\u00fc\u00dfe \u2713 \U0001F9EA \xff\xc3 und \xe2\x82"
	for cut := range len(text) {
		synctest.Test(t, func(t *testing.T) {
			s := newWorkshop()
			s.begin("j", "41.1")
			h := webui.Handler(s)
			src, _, _ := watch(t, t.Context(), h, "j", "")
			src.want(t, "progress", "running")
			s.print("j", text[:cut])
			synctest.Wait()
			go func() {
				synctest.Wait() // the first piece has gone out
				s.print("j", text[cut:])
				s.end("j", nil)
			}()
			list := src.all(t)
			want := string([]rune(text))
			if got := logOf(t, list); got != want {
				t.Errorf("cut at %d: %q, want %q", cut, got, want)
			}
			for _, e := range list {
				if e.name != "log" {
					continue
				}
				var at int
				_, err := fmt.Sscan(e.id, &at)
				ok(t, err)
				w := ask(t, h, access.Reader, "GET", "/v1/jobs/j/events", "", "Last-Event-ID: "+e.id)
				if got := logOf(t, newSource(w.Body).all(t)); got != string([]rune(text[at:])) {
					t.Errorf("cut at %d, on from %d: %q", cut, at, got)
				}
			}
		})
	}
}

// Nor does the bound of an event cut one.
func TestEventsKeepCharactersOfLongLogs(t *testing.T) {
	s := newWorkshop()
	s.begin("j", "41.1")
	text := "x" + strings.Repeat("\u2713", 200_000)
	s.print("j", text)
	s.end("j", nil)
	w := ask(t, webui.Handler(s), access.Reader, "GET", "/v1/jobs/j/events", "")
	if got := logOf(t, newSource(w.Body).all(t)); got != text {
		t.Errorf("%d bytes, want %d", len(got), len(text))
	}
}

// Any number of clients of one job read its log once, and nothing is left when
// they have gone.
func TestEventsOfManyClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const clients = 200
		s := newWorkshop()
		s.begin("j", "41.1")
		h := webui.Handler(s)
		ctx, leave := context.WithCancel(t.Context())
		var sources []*source
		var left []<-chan struct{}
		for i := range clients {
			c := t.Context()
			if i%2 == 0 {
				c = ctx
			}
			src, _, gone := watch(t, c, h, "j", "")
			sources, left = append(sources, src), append(left, gone)
		}
		for _, src := range sources {
			src.want(t, "progress", "running")
		}
		synctest.Wait()
		if now, ever := s.followers(); now != 1 || ever != 1 {
			t.Errorf("%d followers of the log, %d ever, want one", now, ever)
		}
		before := s.listed()
		<-time.After(10 * time.Second)
		if more := s.listed() - before; more > 11 {
			t.Errorf("jobs were listed %d times in 10 s", more)
		}
		leave()
		for i := 0; i < clients; i += 2 {
			<-left[i]
		}
		s.print("j", "still here\n")
		s.end("j", nil)
		for i := 1; i < clients; i += 2 {
			if got := logOf(t, sources[i].all(t)); got != "still here\n" {
				t.Errorf("client %d got %q", i, got)
			}
			<-left[i]
		}
		if now, ever := s.followers(); now != 0 || ever != 1 {
			t.Errorf("%d followers at the end, %d ever", now, ever)
		}
	})
}

// The last client to go ends the following of a job that goes on.
func TestEventsEndWithTheirClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newWorkshop()
		s.begin("j", "41.1")
		h := webui.Handler(s)
		for range 2 {
			ctx, leave := context.WithCancel(t.Context())
			src, _, gone := watch(t, ctx, h, "j", "")
			src.want(t, "progress", "running")
			leave()
			<-gone
			if now, _ := s.followers(); now != 0 {
				t.Errorf("%d followers without a client", now)
			}
		}
		if _, ever := s.followers(); ever != 2 {
			t.Errorf("%d followers ever, want one after the other", ever)
		}
	})
}

// A client that takes nothing is dropped, and holds up nobody.
func TestEventsDropSlowClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newWorkshop()
		s.begin("j", "41.1")
		h := webui.Handler(s)
		_, _, gone := watch(t, t.Context(), h, "j", "") // reads nothing
		fast, _, _ := watch(t, t.Context(), h, "j", "")
		fast.want(t, "progress", "running")
		began := time.Now()
		s.print("j", strings.Repeat("x", 1000)+"\n")
		fast.want(t, "log", "xxx")
		if d := time.Since(began); d > time.Second {
			t.Errorf("the slow client held the other up for %v", d)
		}
		<-gone
		if d := time.Since(began); d > 31*time.Second {
			t.Errorf("dropped after %v", d)
		}
	})
}

// One who is far behind, but reads, gets the whole log.
func TestEventsOfALateReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newWorkshop()
		s.begin("j", "41.1")
		src, _, _ := watch(t, t.Context(), webui.Handler(s), "j", "")
		src.want(t, "progress", "running")
		var want strings.Builder
		for i := range 100 {
			line := fmt.Sprintf("%04d %s\n", i, strings.Repeat("y", 10_000))
			want.WriteString(line)
			s.print("j", line)
			synctest.Wait() // the feed has it, the client does not
		}
		s.end("j", nil)
		if got := logOf(t, src.all(t)); got != want.String() {
			t.Errorf("%d bytes, want %d", len(got), want.Len())
		}
	})
}

// A job that is forgotten while it is watched has an end, too.
func TestEventsOfAForgottenJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newWorkshop()
		s.begin("j", "41.1")
		src, _, _ := watch(t, t.Context(), webui.Handler(s), "j", "")
		src.want(t, "progress", "running")
		s.mu.Lock()
		s.jobs = nil
		close(s.logs["j"].changed)
		delete(s.logs, "j")
		s.mu.Unlock()
		list := src.all(t)
		if last := list[len(list)-1]; last.name != "end" || !strings.Contains(last.data, "no longer remembered") {
			t.Errorf("last event %+v", last)
		}
	})
}

// Over real connections: a browser's way of following, with HTTP between.
func TestEventsOverHTTP(t *testing.T) {
	s := newWorkshop()
	s.begin("j", "41.1")
	s.print("j", "first\n")
	srv := httptest.NewServer(webui.Local(webui.Handler(s)))
	defer srv.Close()
	var wg sync.WaitGroup
	for range 8 {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+"/v1/jobs/j/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		src := newSource(resp.Body)
		src.want(t, "progress", "running")
		src.want(t, "log", "first")
		wg.Go(func() {
			defer func() { _ = resp.Body.Close() }()
			if list := src.all(t); named(slices.DeleteFunc(list, func(e event) bool { return e.name == "progress" })) != "log end" {
				t.Errorf("events %+v", list)
			}
		})
	}
	s.print("j", "second\n")
	s.end("j", nil)
	wg.Wait()
}

// torn is a service whose logs end in an error.
type torn struct{ *fake }

func (torn) Log(_ context.Context, _ string, _ bool, w io.Writer) error {
	_, err := io.WriteString(w, "half of it")
	return errors.Join(err, fs.ErrClosed)
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
