package webui_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"cosafs/vfs/access"
	"cosafs/vfs/webui"
)

// whole is a service that offers all calls.
type whole struct {
	*fake
	keeper
	compressor
	remaker
	mounter
	opener
}

func newWhole() whole {
	f := newFake()
	return whole{f, keeper{f}, compressor{f}, remaker{f}, mounter{f}, opener{f}}
}

// opener is a fake that opens doors, too. It closes them when its caller goes.
type opener struct{ *fake }

func (o opener) Serve(ctx context.Context, req webui.ServeRequest, tell func(webui.ServeInfo)) error {
	if err := o.note("serve %s", req.Addr); err != nil {
		return err
	}
	tell(webui.ServeInfo{URLs: []string{"http://" + req.Addr}})
	if o.block {
		_ = o.wait(ctx) // that it ended is no error
	}
	return nil
}

// ask makes a request as a caller with the role, with headers NAME: VALUE.
func ask(t *testing.T, h http.Handler, role access.Role, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	return askIn(t.Context(), h, role, method, path, body, headers...)
}

// askIn is ask with the request's ctx.
func askIn(ctx context.Context, h http.Handler, role access.Role, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(access.With(ctx, access.Caller{Name: "x", Role: role}), method, path, strings.NewReader(body))
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// problem is the shape of errors.
type problem struct {
	Error, Class, Hint string
	Is                 []string
}

// failed reads an error, which must be whole, and gives what it is.
func failed(t *testing.T, w *httptest.ResponseRecorder, status int) problem {
	t.Helper()
	var p problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Error == "" {
		t.Errorf("the error is %q: %v", w.Body, err)
	}
	if w.Code != status || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("status %d, type %q, want %d and JSON: %s", w.Code, w.Header().Get("Content-Type"), status, w.Body)
	}
	return p
}

// apiCall is a call as the API's own document tells of it.
type apiCall struct {
	method, path, role string
	local              bool
}

// calls reads the API's document.
func calls(t *testing.T, h http.Handler) []apiCall {
	t.Helper()
	var doc struct {
		Paths map[string]map[string]struct {
			Role  string `json:"x-role"`
			Local bool   `json:"x-unix-socket-only"`
		}
	}
	if err := json.Unmarshal(ask(t, h, access.Reader, "GET", "/v1/openapi.json", "").Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	var all []apiCall
	for path, ops := range doc.Paths {
		for method, op := range ops {
			path := strings.ReplaceAll(path, "{id}", "nothing")
			all = append(all, apiCall{strings.ToUpper(method), path, op.Role, op.Local})
		}
	}
	return all
}

// Each call is for those who have its role, and mounts and doors are for the unix
// socket.
func TestRoles(t *testing.T) {
	h := webui.Handler(newWhole())
	all := calls(t, h)
	if len(all) < 20 {
		t.Fatalf("the document has %d calls", len(all))
	}
	for _, c := range all {
		need, err := access.ParseRole(c.role)
		ok(t, err)
		for role := access.Nobody; role <= access.Admin; role++ {
			t.Run(fmt.Sprintf("%s %s as %s", c.method, c.path, role), func(t *testing.T) {
				w := ask(t, h, role, c.method, c.path, "")
				if may := role >= need && !c.local; may == (w.Code == http.StatusForbidden) {
					t.Errorf("status %d, want it allowed: %v", w.Code, may)
				}
				if w.Code == http.StatusForbidden && failed(t, w, http.StatusForbidden).Hint == "" {
					t.Error("refused without a hint")
				}
			})
		}
		t.Run(fmt.Sprintf("%s %s by the socket", c.method, c.path), func(t *testing.T) {
			if w := ask(t, webui.Local(h), access.Nobody, c.method, c.path, ""); w.Code == http.StatusForbidden {
				t.Errorf("refused: %s", w.Body)
			}
		})
	}
}

// A caller whom nobody vouched for is nobody.
func TestNoCallerNoAnswer(t *testing.T) {
	f := newFake()
	w := httptest.NewRecorder()
	webui.Handler(f).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "POST", "/v1/prune", strings.NewReader(`{"keep":1}`)))
	failed(t, w, http.StatusForbidden)
	if len(f.calls()) != 0 {
		t.Errorf("calls %q", f.calls())
	}
}

// What a path does not take is told as HTTP tells it.
func TestMethodsAndPaths(t *testing.T) {
	h := webui.Handler(newWhole())
	for _, tt := range []struct {
		method, path, allow string
		status              int
	}{
		{"DELETE", "/v1/builds/41.1", "GET, HEAD, OPTIONS", 405},
		{"GET", "/v1/build", "POST, OPTIONS", 405},
		{"PUT", "/v1/jobs/j/log", "GET, HEAD, POST, OPTIONS", 405},
		{"BREW", "/v1/status", "GET, HEAD, OPTIONS", 405},
		{"GET", "/v1/nothing", "", 404},
		{"GET", "/v1/", "", 404},
		{"POST", "/v1/jobs/a/b/cancel", "", 404},
	} {
		w := ask(t, h, access.Admin, tt.method, tt.path, "")
		if p := failed(t, w, tt.status); p.Hint == "" || w.Header().Get("Allow") != tt.allow {
			t.Errorf("%s %s: Allow %q, hint %q, want Allow %q and a hint", tt.method, tt.path, w.Header().Get("Allow"), p.Hint, tt.allow)
		}
	}
	w := ask(t, h, access.Reader, "OPTIONS", "/v1/builds", "")
	if w.Code != http.StatusNoContent || w.Header().Get("Allow") != "GET, HEAD, OPTIONS" {
		t.Errorf("OPTIONS: %d, Allow %q", w.Code, w.Header().Get("Allow"))
	}
}

// A HEAD tells what a GET would, and stays for nothing.
func TestHead(t *testing.T) {
	f := newFake()
	srv := httptest.NewServer(webui.Local(webui.Handler(f)))
	defer srv.Close()
	for path, want := range map[string]string{
		"/v1/builds": "application/json", "/v1/jobs/j/events": "text/event-stream", "/v1/jobs/j/log?follow=1": "text/plain; charset=utf-8",
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodHead, srv.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		ok(t, resp.Body.Close())
		if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != want {
			t.Errorf("HEAD %s: %s, %q, want 200, %q", path, resp.Status, resp.Header.Get("Content-Type"), want)
		}
	}
	if got := f.calls(); len(got) != 3 || strings.Contains(strings.Join(got, " "), "true") {
		t.Errorf("calls %q; want no log followed", got)
	}
}

// A page of another site gets a browser to do nothing, and a form is not JSON.
func TestBrowsersOfOtherSites(t *testing.T) {
	for name, tt := range map[string]struct {
		header string
		status int
	}{
		"another site":     {"Sec-Fetch-Site: cross-site", 403},
		"another host":     {"Origin: https://evil.example", 403},
		"own page":         {"Sec-Fetch-Site: same-origin", 200},
		"own host":         {"Origin: http://example.com", 200}, // httptest's
		"a form":           {"Content-Type: application/x-www-form-urlencoded", 415},
		"a form with file": {"Content-Type: multipart/form-data; boundary=x", 415},
		"text":             {"Content-Type: text/plain;charset=UTF-8", 415},
		"nonsense":         {"Content-Type: ;;", 415},
		"a program":        {"Content-Type: application/json; charset=utf-8", 200},
		"one that is mute": {"X: y", 200},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			w := ask(t, webui.Handler(f), access.Builder, "POST", "/v1/jobs/j/cancel", "", tt.header)
			if done := len(f.calls()) > 0; w.Code != tt.status || done != (tt.status == 200) {
				t.Errorf("status %d, calls %q, want %d", w.Code, f.calls(), tt.status)
			}
			if tt.status != 200 && failed(t, w, tt.status).Hint == "" {
				t.Error("refused without a hint")
			}
		})
	}
	// curl says that it sends a form unless told otherwise; over the socket nobody is fooled.
	w := ask(t, webui.Local(webui.Handler(newFake())), access.Nobody, "POST", "/v1/retry", `{"path":"p"}`, "Content-Type: application/x-www-form-urlencoded")
	if w.Code != http.StatusOK {
		t.Errorf("curl over the socket: %d %s", w.Code, w.Body)
	}
}

// What is too long is refused whole, never cut.
func TestLongBody(t *testing.T) {
	const most = 1 << 20
	f := newFake()
	body := `{"path":"p"}`
	if w := ask(t, webui.Handler(f), access.Builder, "POST", "/v1/retry", body+strings.Repeat(" ", most-len(body))); w.Code != http.StatusOK {
		t.Errorf("a body of 1 MiB: %d %s", w.Code, w.Body)
	}
	w := ask(t, webui.Handler(f), access.Builder, "POST", "/v1/retry", body+strings.Repeat(" ", most-len(body)+1))
	if p := failed(t, w, http.StatusRequestEntityTooLarge); p.Hint == "" || !strings.Contains(p.Error, "1048576") {
		t.Errorf("error %+v, want the limit and a hint", p)
	}
	same(t, "calls", []string{"retry p"}, f.calls())
}

// Whatever the body, the service is asked only with what is JSON of its type, and
// the answer is JSON.
func FuzzBody(f *testing.F) {
	for _, body := range []string{"", "{}", "null", "[]", `{"path":1}`, `{"path":"a"`, `{"path":"a"}{}`, "\xff", `{"keep":-1,"builds":["x"]}`, strings.Repeat("[", 20000)} {
		f.Add("/v1/materialise", body)
		f.Add("/v1/prune", body)
	}
	f.Fuzz(func(t *testing.T, path, body string) {
		if !strings.HasPrefix(path, "/v1/") || strings.ContainsAny(path, "?# %") || strings.Contains(path, "//") || strings.Contains(path, "/.") {
			t.Skip("not a path as it comes from net/http")
		}
		s := newWhole()
		r := httptest.NewRequestWithContext(access.With(t.Context(), access.Caller{Role: access.Admin}), "POST", "/v1/status", strings.NewReader(body))
		r.URL.Path = path
		w := httptest.NewRecorder()
		webui.Handler(s).ServeHTTP(w, r)
		if body != "" && !json.Valid([]byte(body)) && w.Code == http.StatusOK && !strings.HasSuffix(path, "/cancel") {
			t.Errorf("%s took %q: %s", path, body, w.Body)
		}
		if w.Code >= 400 {
			failed(t, w, w.Code)
		}
	})
}

// Programs that walk over the jobs need a list, also where there are none.
func TestStatusWithoutJobs(t *testing.T) {
	w := ask(t, webui.Handler(jobless{newFake()}), access.Reader, "GET", "/v1/status", "")
	if !strings.Contains(w.Body.String(), `"jobs":[]`) {
		t.Errorf("status is %s", w.Body)
	}
}

// jobless says nothing of jobs.
type jobless struct{ *fake }

func (jobless) Status(context.Context) (webui.Status, error) { return webui.Status{}, nil }
