package remote_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"cosafs/cmd/internal/remote"
	"cosafs/vfs/access"
)

// tellCaller answers with who asked.
func tellCaller(w http.ResponseWriter, r *http.Request) {
	c := access.Of(r.Context())
	_, _ = fmt.Fprintf(w, "%s %s", c.Name, c.Role)
}

func TestRoutes(t *testing.T) {
	w := newWorld(t)
	w.doors.Upload = says("upload")
	w.start()
	for path, want := range map[string]string{
		"/": "files", "/41.1/x86_64/": "files", "/.cosafs/status": "files", "/v1x": "files", "/uploads": "files", "//v1/x": "files",
		"/v1/status": "api", "/v1": "api", "/.cosafs/ui/jobs/": "page", "/.cosafs/ui": "page",
		"/upload/x": "upload", "/upload": "upload",
		"/healthz": "ok\n", "/readyz": "ready\n", "/robots.txt": "User-agent: *\nDisallow: /\n",
	} {
		if got := w.get(path, http.StatusOK); got != want {
			t.Errorf("GET %s = %q, want %q", path, got, want)
		}
	}
}

// Without a collection for uploads its name is one of the tree's.
func TestNoUploads(t *testing.T) {
	w := newWorld(t).start()
	if got := w.get("/upload/x", http.StatusOK); got != "files" {
		t.Errorf("got %q", got)
	}
}

func TestHeaders(t *testing.T) {
	w := newWorld(t)
	w.doors.Page = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", "script-src 'self'")
	})
	w.start()
	resp, _ := w.do(w.request(http.MethodGet, "/x", nil))
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := resp.Header.Get("Content-Security-Policy"); !strings.Contains(got, "frame-ancestors 'none'") || !strings.Contains(got, "default-src 'none'") {
		t.Errorf("policy %q", got)
	}
	resp, _ = w.do(w.request(http.MethodGet, "/.cosafs/ui/x", nil))
	if got := resp.Header.Get("Content-Security-Policy"); got != "script-src 'self'" {
		t.Errorf("the page's policy became %q", got)
	}
}

func TestReadiness(t *testing.T) {
	w := newWorld(t)
	w.cfg.Htpasswd = w.users("ann")
	w.cfg.Ready = func() error { return errors.New("s3://b was not asked yet") }
	w.start()
	w.get("/healthz", http.StatusOK)
	if got := w.get("/readyz", http.StatusServiceUnavailable); !strings.Contains(got, "s3://b was not asked yet") {
		t.Errorf("/readyz said %q", got)
	}
	resp, _ := w.do(w.request(http.MethodPut, "/healthz", nil))
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("PUT /healthz = %s", resp.Status)
	}
}

// On this machine alone everybody is a builder, but where a login was asked for.
func TestWhoComesIn(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*world)
		login  string
		status int
		want   string
	}{
		"alone":          {func(*world) {}, "", 200, " builder"},
		"readers":        {func(w *world) { w.cfg.Everybody = "reader" }, "", 200, " reader"},
		"no login":       {func(w *world) { w.cfg.Htpasswd = w.users("ann") }, "", 401, "Log in.\n"},
		"reader":         {func(w *world) { w.cfg.Htpasswd = w.users("ann") }, "ann", 200, "ann reader"},
		"granted":        {func(w *world) { w.cfg.Htpasswd, w.cfg.Grants = w.users("ann"), []string{"ann=admin"} }, "ann", 200, "ann admin"},
		"nobody yet":     {func(w *world) { w.cfg.Htpasswd = w.write("none", "") }, "", 401, "Log in.\n"},
		"with everybody": {func(w *world) { w.cfg.Htpasswd, w.cfg.Everybody = w.users("ann"), "builder" }, "", 200, " builder"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.doors.Files = http.HandlerFunc(tellCaller)
			test.change(w)
			w.start()
			r := w.request(http.MethodGet, "/", nil)
			if test.login != "" {
				r.SetBasicAuth(test.login, "secret")
			}
			resp, body := w.do(r)
			if resp.StatusCode != test.status || body != test.want {
				t.Errorf("got %s %q, want %d %q", resp.Status, body, test.status, test.want)
			}
		})
	}
}

// Metrics are for those who may look; a browser that is let in anyway can still log in.
func TestGuardedPaths(t *testing.T) {
	w := newWorld(t)
	w.cfg.Htpasswd = w.users("ann")
	w.start()
	w.get("/metrics", http.StatusUnauthorized)
	second := newWorld(t)
	second.cfg.Htpasswd, second.cfg.Everybody = second.users("ann"), "reader"
	second.start()
	second.get("/metrics", http.StatusOK)
	second.get("/.cosafs/ui/login", http.StatusUnauthorized)
	r := second.request(http.MethodGet, "/.cosafs/ui/login", nil)
	r.SetBasicAuth("ann", "secret")
	if resp, _ := second.do(r); resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/" {
		t.Errorf("login = %s to %q", resp.Status, resp.Header.Get("Location"))
	}
}

// What a browser asks on behalf of another site gets nothing, and reaches no door.
func TestPreflight(t *testing.T) {
	w := newWorld(t)
	w.cfg.Htpasswd = w.users("ann")
	w.doors.Files = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a door was reached") })
	w.start()
	r := w.request(http.MethodOptions, "/x", nil)
	r.Header.Set("Origin", "https://evil.example")
	r.Header.Set("Access-Control-Request-Method", "PROPFIND")
	resp, _ := w.do(r)
	if resp.StatusCode != http.StatusNoContent {
		t.Errorf("preflight = %s", resp.Status)
	}
	for name := range resp.Header {
		if strings.HasPrefix(name, "Access-Control-") || name == "Dav" {
			t.Errorf("preflight was told %s", name)
		}
	}
}

// A page of another site must not reach this server by a name of its own.
func TestHosts(t *testing.T) {
	w := newWorld(t)
	w.cfg.Hosts = []string{"Builds.Example"}
	w.start()
	for host, ok := range map[string]bool{
		"localhost": true, "localhost:8080": true, "LOCALHOST.": true, "x.localhost": true, "127.0.0.1:1": true, "[::1]:80": true, "[::1]": true,
		"10.1.2.3": true, "builds.example": true, "builds.example.:81": true,
		"evil.example": false, "evil.example:80": false, "localhost.evil.example": false, "127.0.0.1.evil.example": false, "2130706433": false,
	} {
		r := w.request(http.MethodGet, "/", nil)
		r.Host = host
		resp, body := w.do(r)
		if got := resp.StatusCode == http.StatusOK; got != ok {
			t.Errorf("Host %q = %s", host, resp.Status)
		}
		if !ok && (resp.StatusCode != http.StatusMisdirectedRequest || !strings.Contains(body, "--allow-host")) {
			t.Errorf("Host %q = %s %q", host, resp.Status, body)
		}
	}
}

// Who has logged in may call the server what he likes: no other site has his login.
func TestHostsOfThoseLoggedIn(t *testing.T) {
	w := newWorld(t)
	w.cfg.Htpasswd, w.cfg.Everybody = w.users("ann"), "reader"
	w.start()
	for login, want := range map[string]int{"": http.StatusMisdirectedRequest, "ann": http.StatusOK} {
		r := w.request(http.MethodGet, "/", nil)
		r.Host = "builds.example"
		if login != "" {
			r.SetBasicAuth(login, "secret")
		}
		if resp, _ := w.do(r); resp.StatusCode != want {
			t.Errorf("%q = %s, want %d", login, resp.Status, want)
		}
	}
}

func TestBodies(t *testing.T) {
	w := newWorld(t)
	drain := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		}
		_, _ = fmt.Fprint(w, n)
	})
	w.doors.Files, w.doors.Upload = drain, drain
	w.start()
	big := strings.Repeat("x", remote.BodyBytes+1)
	type body struct{ io.Reader } // of a length that isn't told
	for name, test := range map[string]struct {
		method, path string
		body         io.Reader
		want         int
	}{
		"question":         {"PROPFIND", "/", strings.NewReader(big[1:]), 200},
		"long":             {"PROPFIND", "/", strings.NewReader(big), 413},
		"long, untold":     {"PROPFIND", "/", body{strings.NewReader(big)}, 413},
		"of a GET":         {"GET", "/", strings.NewReader("x"), 413},
		"of a GET, untold": {"GET", "/", body{strings.NewReader("x")}, 413},
		"upload":           {"PUT", "/upload/f", strings.NewReader(big), 200},
		"PUT to a build":   {"PUT", "/41.1/f", strings.NewReader(big), 413},
	} {
		t.Run(name, func(t *testing.T) {
			r := w.request(test.method, test.path, test.body)
			r.Header.Set("Expect", "100-continue") // so that no client writes to who has left
			if resp, _ := w.do(r); resp.StatusCode != test.want {
				t.Errorf("got %s, want %d", resp.Status, test.want)
			}
		})
	}
}

func TestRates(t *testing.T) {
	w := newWorld(t)
	w.cfg.Rate = 0.01
	w.cfg.Htpasswd, w.cfg.Everybody = w.users("ann", "bob"), "reader"
	w.start()
	ask := func(login string) answer {
		r := w.request(http.MethodGet, "/", nil)
		if login != "" {
			r.SetBasicAuth(login, "secret")
		}
		resp, _ := w.do(r)
		return resp
	}
	for i := range 20 {
		if resp := ask("ann"); resp.StatusCode != http.StatusOK {
			t.Fatalf("request %d = %s", i, resp.Status)
		}
	}
	resp := ask("ann")
	after, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if resp.StatusCode != http.StatusTooManyRequests || err != nil || after < 50 || after > 100 {
		t.Errorf("one too many = %s, Retry-After %q", resp.Status, resp.Header.Get("Retry-After"))
	}
	for _, other := range []string{"bob", ""} {
		if resp := ask(other); resp.StatusCode != http.StatusOK {
			t.Errorf("%q = %s; ann's requests are not his", other, resp.Status)
		}
	}
	w.get("/healthz", http.StatusOK)
}

// A handler that breaks costs one answer.
func TestPanics(t *testing.T) {
	w := newWorld(t)
	w.doors.Files = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/late":
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush() // the client sees it
		case "/abort":
			panic(http.ErrAbortHandler)
		}
		panic("secret of " + r.URL.Path)
	})
	w.start()
	if body := w.get("/early", http.StatusInternalServerError); strings.Contains(body, "secret") {
		t.Errorf("the client was told %q", body)
	}
	for _, path := range []string{"/late", "/abort"} {
		resp, err := http.DefaultTransport.RoundTrip(w.request(http.MethodGet, path, nil))
		if err == nil {
			_, err = io.ReadAll(resp.Body)
			_ = resp.Body.Close() // it is broken anyway
		}
		if err == nil {
			t.Errorf("%s looks like a whole answer", path)
		}
	}
	log := w.log.String()
	if !strings.Contains(log, "secret of /early") || !strings.Contains(log, "secret of /late") || !strings.Contains(log, "TestPanics") {
		t.Errorf("the log does not tell of the panics: %s", log)
	}
	if strings.Count(log, "msg=panic") != 2 {
		t.Errorf("an abort is no panic: %s", log)
	}
}

// The log says who did what, and nobody writes into it what he likes.
func TestAccessLog(t *testing.T) {
	w := newWorld(t)
	w.cfg.Htpasswd = w.users("ann")
	w.start()
	r := w.request(http.MethodGet, "/a%0Alevel=ERROR", nil)
	r.SetBasicAuth("ann", "secret")
	w.do(r)
	w.get("/closed", http.StatusUnauthorized)
	r = w.request(http.MethodPost, "/v1/prune", nil)
	r.SetBasicAuth("ann", "secret")
	w.do(r)
	w.stop()
	<-w.ended
	var lines []string
	for line := range strings.Lines(w.log.String()) {
		if strings.Contains(line, "msg=request") {
			lines = append(lines, line)
		}
	}
	if len(lines) != 3 {
		t.Fatalf("log: %q", lines)
	}
	for i, words := range [][]string{
		{"level=DEBUG", "method=GET", `\\n`, "status=200", "bytes=5", "caller=ann", "addr=127.0.0.1"},
		{"level=INFO", "path=/closed", "status=401", `caller=""`},
		{"level=INFO", "method=POST", "path=/v1/prune", "status=200", "caller=ann"},
	} {
		for _, word := range words {
			if !strings.Contains(lines[i], word) {
				t.Errorf("line %q lacks %s", lines[i], word)
			}
		}
	}
}
