package auth_test

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"cosafs/cmd/internal/auth"
	"cosafs/test/logbuf"
	"cosafs/test/need"
	"cosafs/vfs/access"
)

// A fixture is a guard before a handler that says who came in.
type fixture struct {
	*auth.Guard
	handler http.Handler
	clock   *clock
	log     *logbuf.Buffer
	bcrypts atomic.Int64 // comparisons
}

// A clock stands still until it is moved.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time        { return time.Unix(1_800_000_000, c.ahead.Load()) }
func (c *clock) pass(by time.Duration) { c.ahead.Add(int64(by)) }

// open makes a guard with a clock and a log of the test's.
func open(tb testing.TB, cfg auth.Config) *fixture {
	tb.Helper()
	f := &fixture{clock: &clock{}, log: &logbuf.Buffer{}}
	cfg.Now, cfg.Logger = f.clock.now, slog.New(slog.NewTextHandler(f.log, nil))
	g, err := auth.Open(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	f.Guard, f.handler = g, g.Wrap(http.HandlerFunc(whoami))
	g.SetCompare(func(hash, password []byte) error {
		f.bcrypts.Add(1)
		return bcrypt.CompareHashAndPassword(hash, password)
	})
	return f
}

func whoami(w http.ResponseWriter, r *http.Request) {
	c := access.Of(r.Context())
	_, _ = io.WriteString(w, c.Name+" "+c.Role.String()+" "+c.Addr) // a client that is gone reads nothing
}

// A request is what tests vary. It comes from loopback unless told otherwise.
type request struct {
	method, from       string
	user, password     string
	bearer, raw, agent string
	header             http.Header
}

func (q request) build(tb testing.TB) *http.Request {
	tb.Helper()
	r := httptest.NewRequestWithContext(tb.Context(), orElse(q.method, http.MethodGet), "http://cosafs.test/a", nil)
	r.RemoteAddr = orElse(q.from, "127.0.0.1:5000")
	for name, values := range q.header {
		r.Header[name] = values
	}
	switch {
	case q.raw != "":
		r.Header.Set("Authorization", q.raw)
	case q.bearer != "":
		r.Header.Set("Authorization", "Bearer "+q.bearer)
	case q.user != "" || q.password != "":
		r.SetBasicAuth(q.user, q.password)
	}
	r.Header.Set("User-Agent", q.agent)
	return r
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// ask sends a request past the guard.
func (f *fixture) ask(tb testing.TB, q request) *httptest.ResponseRecorder {
	tb.Helper()
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, q.build(tb))
	return w
}

// want asks, and checks the status and, where it is 200, who came in.
func (f *fixture) want(tb testing.TB, q request, status int, who string) *httptest.ResponseRecorder {
	tb.Helper()
	w := f.ask(tb, q)
	if w.Code != status || who != "" && w.Body.String() != who {
		tb.Errorf("%+v: %d %q, want %d %q", q, w.Code, w.Body, status, who)
	}
	return w
}

// put writes a file of the test's.
func put(tb testing.TB, path, text string) {
	tb.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
}

func file(tb testing.TB, text string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "file")
	put(tb, path, text)
	return path
}

// line is one of an htpasswd file, with the lowest cost.
func line(tb testing.TB, name, password string) string {
	tb.Helper()
	return lineOf(tb, name, password, bcrypt.MinCost)
}

func lineOf(tb testing.TB, name, password string, cost int) string {
	tb.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), cost)
	if err != nil {
		tb.Fatal(err)
	}
	return name + ":" + string(hash) + "\n"
}

// tokenLine lets a token in that the test chose.
func tokenLine(name, token string) string {
	sum := sha256.Sum256([]byte(token))
	return name + ":" + hex.EncodeToString(sum[:]) + "\n"
}

// htpasswd runs htpasswd(1).
func htpasswd(tb testing.TB, args ...string) {
	tb.Helper()
	need.Tool(tb, "htpasswd")
	if out, err := exec.CommandContext(tb.Context(), "htpasswd", args...).CombinedOutput(); err != nil {
		tb.Fatalf("htpasswd %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}
