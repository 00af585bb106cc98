package auth_test

import (
	"context"
	"encoding/base64"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"cosafs/cmd/internal/auth"
	"cosafs/vfs/access"
)

const (
	basic  = `Basic realm="cosafs", charset="UTF-8"`
	bearer = `Bearer realm="cosafs"`
)

func TestCredentials(t *testing.T) {
	f := open(t, auth.Config{
		Htpasswd: file(t, line(t, "alice", "päss:word")+line(t, "both", "b")),
		Tokens:   file(t, tokenLine("ci", "t1")+tokenLine("ci", "t2")+tokenLine("both", "t3")),
	})
	b64 := base64.StdEncoding.EncodeToString
	for _, c := range []struct {
		q   request
		who string // "" = 401
	}{
		{request{user: "alice", password: "päss:word"}, "alice"},
		{request{raw: "bAsIc " + b64([]byte("alice:päss:word"))}, "alice"},
		{request{user: "alice", password: "päss"}, ""},
		{request{user: "alice"}, ""},
		{request{user: "Alice", password: "päss:word"}, ""},
		{request{password: "päss:word"}, ""},
		{request{user: "nobody", password: "päss:word"}, ""},
		{request{bearer: "t1"}, "ci"},
		{request{bearer: "t2"}, "ci"},
		{request{raw: "bearer  t2"}, "ci"},
		{request{bearer: "t4"}, ""},
		{request{raw: "Bearer"}, ""},
		{request{raw: "Bearer "}, ""},
		{request{bearer: "päss:word"}, ""},
		{request{user: "ci", password: "t1"}, "ci"},
		{request{user: "alice", password: "t1"}, ""},
		{request{password: "t1"}, ""},
		{request{user: "both", password: "b"}, "both"},
		{request{user: "both", password: "t3"}, "both"},
		{request{raw: "Basic ???"}, ""},
		{request{raw: "Basic " + b64([]byte("alice"))}, ""},
		{request{raw: "Digest username=alice"}, ""},
		{request{raw: "t1"}, ""},
		{request{header: http.Header{"Authorization": {"Bearer t1", "Bearer t2"}}}, ""},
	} {
		if c.who == "" {
			f.want(t, c.q, 401, "")
		} else {
			f.want(t, c.q, 200, c.who+" reader 127.0.0.1")
		}
		f.clock.pass(auth.FailureEvery)
	}
	if log := f.log.String(); strings.Contains(log, "päss") || strings.Contains(log, "t4") || strings.Contains(log, "nobody") || !strings.Contains(log, "name=alice") {
		t.Errorf("the log says too much or too little:\n%s", log)
	}
}

func TestChallenge(t *testing.T) {
	passwords := open(t, auth.Config{Htpasswd: file(t, line(t, "alice", "a"))})
	tokens := open(t, auth.Config{Tokens: file(t, tokenLine("ci", "t"))})
	for _, c := range []struct {
		f    *fixture
		q    request
		want []string
	}{
		{passwords, request{}, []string{basic}},
		{tokens, request{}, []string{basic, bearer}},
		{tokens, request{agent: "curl/7.88.1", user: "a", password: "b"}, []string{basic, bearer}},
		{tokens, request{agent: "Mozilla/5.0", method: http.MethodPost}, []string{basic, bearer}},
		{tokens, request{agent: "curl/7.88.1", method: "PROPFIND"}, []string{basic}},
		{tokens, request{method: http.MethodOptions}, []string{basic}},
		{tokens, request{agent: "davfs2/1.6.1 neon/0.32.5"}, []string{basic}},
		{tokens, request{agent: "Microsoft-WebDAV-MiniRedir/10.0"}, []string{basic}},
		{tokens, request{agent: "rclone/v1.60.1", method: http.MethodHead}, []string{basic}},
	} {
		w := c.f.want(t, c.q, 401, "")
		if got := w.Header()["Www-Authenticate"]; !slices.Equal(got, c.want) {
			t.Errorf("%+v: %q, want %q", c.q, got, c.want)
		}
		if got := w.Header().Get("Cache-Control"); got != "no-store" {
			t.Errorf("Cache-Control %q", got)
		}
	}
}

func TestPreflightNeedsNoLogin(t *testing.T) {
	f := open(t, auth.Config{Htpasswd: file(t, line(t, "alice", "a"))})
	ask := http.Header{"Origin": {"https://else.test"}, "Access-Control-Request-Method": {"GET"}}
	f.want(t, request{method: http.MethodOptions, header: ask}, 200, " nobody 127.0.0.1")
	f.want(t, request{method: http.MethodOptions}, 401, "")
	f.want(t, request{method: http.MethodGet, header: ask}, 401, "")
	f.want(t, request{method: http.MethodOptions, header: http.Header{"Origin": {"https://else.test"}}}, 401, "")
}

// Over an open line from another machine no password is taken, and none is
// asked for.
func TestPlainConnections(t *testing.T) {
	cfg := auth.Config{Htpasswd: file(t, line(t, "alice", "a")), Tokens: file(t, tokenLine("ci", "t"))}
	f := open(t, cfg)
	for _, from := range []string{"192.0.2.7:1", "[2001:db8::1]:1", "[::ffff:192.0.2.7]:1", "not an address", ""} {
		if from == "" {
			from = "@" // a unix socket's peer, but the connection does not say that it is one
		}
		for _, q := range []request{{}, {user: "alice", password: "a"}, {bearer: "t"}, {user: "alice", password: "wrong"}} {
			q.from = from
			w := f.want(t, q, 403, "")
			if !strings.Contains(w.Body.String(), "https://") || w.Header()["Www-Authenticate"] != nil {
				t.Errorf("%+v: %q %v", q, w.Body, w.Header())
			}
		}
	}
	if f.bcrypts.Load() != 0 {
		t.Error("a password was looked at")
	}
	for _, from := range []string{"127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"} {
		f.want(t, request{from: from, user: "alice", password: "a"}, 200, "")
	}

	cfg.AllowPlain = true
	f = open(t, cfg)
	f.want(t, request{from: "192.0.2.7:1", user: "alice", password: "a"}, 200, "alice reader 192.0.2.7")
	f.want(t, request{from: "192.0.2.7:1"}, 401, "")

	cfg.AllowPlain, cfg.Everybody = false, access.Reader
	f = open(t, cfg)
	f.want(t, request{from: "192.0.2.7:1"}, 200, " reader 192.0.2.7")
	f.want(t, request{from: "192.0.2.7:1", user: "alice", password: "a"}, 403, "")
}

// What comes over a unix socket has not left the machine.
func TestUnixSocketIsLocal(t *testing.T) {
	f := open(t, auth.Config{Tokens: file(t, tokenLine("ci", "t"))})
	r := request{bearer: "t"}.build(t)
	r.RemoteAddr = "@"
	r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(&net.UnixAddr{Name: "/run/x", Net: "unix"})))
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	if w.Code != 200 || w.Body.String() != "ci reader unix" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}

// A proxy before us may ask for passwords of its own, and pass them on.
func TestNoLoginsNoCredentials(t *testing.T) {
	f := open(t, auth.Config{Everybody: access.Builder})
	f.want(t, request{user: "proxy", password: "its own"}, 200, " builder 127.0.0.1")
	f.want(t, request{from: "192.0.2.7:1", bearer: "x"}, 200, " builder 192.0.2.7")
	closed := open(t, auth.Config{})
	w := closed.want(t, request{user: "a", password: "b"}, 403, "")
	if w.Header()["Www-Authenticate"] != nil {
		t.Error("it asks for a login that can't be")
	}
}

func TestDemand(t *testing.T) {
	f := open(t, auth.Config{Htpasswd: file(t, line(t, "alice", "a")), Everybody: access.Reader})
	f.handler = f.Demand(http.HandlerFunc(whoami))
	if got := f.want(t, request{}, 401, "").Header()["Www-Authenticate"]; !slices.Equal(got, []string{basic}) {
		t.Errorf("challenge %q", got)
	}
	f.want(t, request{user: "alice", password: "a"}, 200, "alice reader 127.0.0.1")
}
