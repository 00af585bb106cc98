package webui_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cosafs/materialize"
	"cosafs/vfs/access"
	"cosafs/vfs/webui"
)

// begun reads the answer to a call that only started a job.
func begun(t *testing.T, w *httptest.ResponseRecorder, job string) {
	t.Helper()
	var body struct{ Job string }
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || body.Job != job {
		t.Errorf("job %q, %v, want %s", w.Body, err, job)
	}
	if h := w.Header(); w.Code != http.StatusAccepted || h.Get("Location") != "/v1/jobs/"+job || h.Get("Preference-Applied") != "respond-async" {
		t.Errorf("%d %v, want 202 with the job's place", w.Code, h)
	}
}

// A client that does not wait gets a job to watch, and the work goes on through
// all its jobs when the request is over.
func TestRespondAsync(t *testing.T) {
	for _, quiet := range []bool{false, true} { // whether events name the job
		synctest.Test(t, func(t *testing.T) {
			s := newWorkshop("compose", "image")
			s.quiet, s.before = quiet, time.Second
			s.begin("earlier", "41.1")
			s.end("earlier", errors.New("it failed"))
			h := webui.Handler(s)
			ctx, over := context.WithCancel(t.Context())
			begun(t, askIn(ctx, h, access.Builder, "POST", "/v1/materialise", `{"path":"p"}`, "Prefer: wait=5, Respond-Async; x"), "compose")
			over()
			synctest.Wait()
			s.end("compose", nil)
			synctest.Wait()
			w := ask(t, h, access.Reader, "GET", "/v1/jobs/image", "")
			var job materialize.JobInfo
			if err := json.Unmarshal(w.Body.Bytes(), &job); err != nil || job.State != materialize.JobRunning {
				t.Errorf("second job: %s", w.Body)
			}
			s.end("image", nil)
			synctest.Wait() // nothing may go on: the bubble would not end
			same(t, "calls", []string{"materialise p", "materialised p: <nil>"}, s.calls())
		})
	}
}

// Cancelling the job ends the work; a retry and another start make a new one.
func TestRespondAsyncCancelRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newWorkshop("one")
		h := webui.Handler(s)
		begun(t, ask(t, h, access.Builder, "POST", "/v1/materialise", `{"path":"p"}`, "Prefer: respond-async"), "one")
		if w := ask(t, h, access.Builder, "POST", "/v1/jobs/one/cancel", ""); w.Code != http.StatusOK {
			t.Errorf("cancel: %d %s", w.Code, w.Body)
		}
		synctest.Wait()
		s.steps = []string{"two"}
		if w := ask(t, h, access.Builder, "POST", "/v1/retry", `{"path":"p"}`); w.Code != http.StatusOK {
			t.Errorf("retry: %d %s", w.Code, w.Body)
		}
		begun(t, ask(t, h, access.Builder, "POST", "/v1/materialise", `{"path":"p"}`, "Prefer: respond-async"), "two")
		s.end("two", nil)
		synctest.Wait()
		same(t, "calls", []string{"materialise p", "materialised p: cancelled", "retry p", "materialise p", "materialised p: <nil>"}, s.calls())
	})
}

func TestBuildAsync(t *testing.T) {
	for _, quiet := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := newWorkshop("new")
			s.quiet, s.before = quiet, time.Second
			s.begin("other", materialize.Next) // a build that goes on already
			s.begin("image", "41.1")
			begun(t, ask(t, webui.Handler(s), access.Builder, "POST", "/v1/build", `{"force":true}`, "Prefer: respond-async"), "new")
			s.end("new", nil)
			synctest.Wait()
		})
	}
}

// A build that joins one that goes on is told of by that one's job.
func TestBuildAsyncJoins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := joining{newWorkshop(), make(chan struct{})}
		s.begin("going", materialize.Next)
		s.begin("image", "41.1")
		begun(t, ask(t, webui.Handler(s), access.Builder, "POST", "/v1/build", `{}`, "Prefer: respond-async"), "going")
		close(s.ended)
	})
}

// joining builds by waiting for another's job, of which events do not tell.
type joining struct {
	*workshop
	ended chan struct{}
}

func (s joining) Build(_ context.Context, _ webui.BuildRequest, tell func(materialize.Event)) (webui.BuildResult, error) {
	tell(materialize.Event{Phase: "compose"})
	<-s.ended
	return webui.BuildResult{}, nil
}

// What is there already, and what fails at once, is answered as without the wish.
func TestRespondAsyncNothingToWaitFor(t *testing.T) {
	s := newWorkshop()
	h := webui.Handler(s)
	w := ask(t, h, access.Builder, "POST", "/v1/materialise", `{"path":"p"}`, "Prefer: respond-async")
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"result":{"path":"p"`) {
		t.Errorf("%d %s, want the result", w.Code, w.Body)
	}
	if job, err := webui.Start(t.Context(), s, "p"); job != "" || err != nil {
		t.Errorf("Start = %q, %v, want nothing to watch", job, err)
	}
	s.fail = materialize.Fail(materialize.ClassSpace, "write", "free some", fs.ErrExist)
	w = ask(t, h, access.Builder, "POST", "/v1/materialise", `{"path":"p"}`, "Prefer: respond-async")
	if p := failed(t, w, http.StatusConflict); p.Class != "space" || p.Hint != "free some" {
		t.Errorf("error %+v", p)
	}
	if _, err := webui.Start(t.Context(), s, "p"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Start = %v, want fs.ErrExist", err)
	}
}

// A caller who goes before there is a job has left like any other.
func TestStartAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake()
		s.block = true
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if job, err := webui.Start(ctx, s, "p"); job != "" || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Start = %q, %v, want context.DeadlineExceeded", job, err)
		}
		<-s.ended
	})
}

func TestNoSuchJob(t *testing.T) {
	h := webui.Handler(newWorkshop())
	for _, path := range []string{"/v1/jobs/none", "/v1/jobs/none/events", "/v1/jobs/none/log"} {
		failed(t, ask(t, h, access.Reader, "GET", path, ""), http.StatusNotFound)
	}
	if w := ask(t, h, access.Reader, "GET", "/v1/jobs", ""); w.Body.String() != "[]\n" {
		t.Errorf("no jobs: %s", w.Body)
	}
	failed(t, ask(t, h, access.Reader, "GET", "/v1/jobs/none/log?follow=perhaps", ""), http.StatusBadRequest)
}

// A log is served as it is.
func TestLogText(t *testing.T) {
	s := newWorkshop()
	s.begin("j", "41.1")
	s.print("j", "one\ntwo\xff\n")
	h := webui.Handler(s)
	w := ask(t, h, access.Reader, "GET", "/v1/jobs/j/log", "")
	if w.Body.String() != "one\ntwo\xff\n" || w.Header().Get("Content-Type") != "text/plain; charset=utf-8" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%q %v", w.Body, w.Header())
	}
	followed := make(chan *httptest.ResponseRecorder)
	go func() { followed <- ask(t, h, access.Reader, "GET", "/v1/jobs/j/log?follow=1", "") }()
	s.print("j", "three\n")
	s.end("j", nil)
	if w := <-followed; w.Body.String() != "one\ntwo\xff\nthree\n" {
		t.Errorf("followed %q", w.Body)
	}
}

// A log that can't be read to its end does not look whole.
func TestLogTextCutOff(t *testing.T) {
	srv := httptest.NewServer(webui.Local(webui.Handler(torn{newFake()})))
	defer srv.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+"/v1/jobs/j/log", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if err := resp.Write(discard{}); err == nil {
		t.Error("half a log came as a whole one")
	}
}
