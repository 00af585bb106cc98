package test

import (
	"crypto/tls"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// guarded is a door that takes every kind of login there is, over TLS:
//
//	alice  a password     builder
//	bob    a password     reader, as nothing else is said
//	ci     a token        builder
//	boss   a certificate  admin
//	gone   a password     nobody
func guarded(e *env) (d *door, token string) {
	e.Helper()
	e.authority()
	cert, key := e.issue("server")
	for _, name := range []string{"alice", "bob", "gone"} {
		e.htpasswd(name, "secret of "+name)
	}
	e.issue("boss")
	token = e.token("ci")
	e.mkdir(filepath.Join(e.dir, "upload"))
	return e.door("--tls-cert", cert, "--tls-key", key, "--client-ca", filepath.Join(e.dir, "ca.pem"),
		"--htpasswd", filepath.Join(e.dir, "users"), "--tokens", filepath.Join(e.dir, "tokens"),
		"--grant", "alice=builder", "--grant", "ci=builder", "--grant", "boss=admin", "--grant", "gone=nobody",
		"--upload-dir", filepath.Join(e.dir, "upload")), token
}

// htpasswd gives somebody a password, as an administrator does.
func (e *env) htpasswd(name, password string) {
	e.Helper()
	users := filepath.Join(e.dir, "users")
	if absent(users) != "" {
		e.write("users", "")
	}
	e.sh("htpasswd", "-B", "-b", users, name, password)
}

// Each kind of login is let in over TLS and may do what its role says; the log has
// who did what, and no secrets.
func TestDAVLogins(t *testing.T) {
	e := newServed(t, "openssl", "htpasswd")
	d, token := guarded(e)
	if !strings.HasPrefix(d.url, "https://127.0.0.1:") {
		t.Fatalf("serving %s", d.url)
	}
	boss := login{cert: "boss"}
	t.Run("roles", func(t *testing.T) { e.within(t).roles(d, token) })
	t.Run("refused", func(t *testing.T) { e.within(t).turnedAway(d, token) })
	t.Run("making", func(t *testing.T) { e.within(t).makers(d, token) })
	t.Run("protocol", func(t *testing.T) { e.within(t).protocols(d) })
	t.Run("guesses", func(t *testing.T) { e.within(t).guesses(d) })
	if n := e.visitor(d, boss).get("metrics"); n != http.StatusOK {
		t.Errorf("after all that boss gets %d", n)
	}
	log := e.log()
	for _, line := range []string{
		`msg="build asked" caller=ci `, `msg="scratch changed" op=PUT path=of-alice status=201 user=alice `,
		`msg="wrong login" addr=127.0.0.1 name=alice`, `msg="wrong login" addr=127.0.0.1 name=unknown`,
		`method=POST path=/v1/tag status=403 `, `status=429 `,
	} {
		if !strings.Contains(log, line) {
			t.Errorf("the log lacks %s", line)
		}
	}
	for _, secret := range []string{token, "secret of", "a guess", "c2VjcmV0"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log has %q", secret)
		}
	}
	if t.Failed() {
		t.Log(log)
	}
}

// roles checks what each may do: look, write below /upload/, tag a build.
func (e *env) roles(d *door, token string) {
	tag := `{"id":"` + e.builds()[0] + `","name":"TAG"}`
	for name, as := range map[string]struct {
		login
		look, write, tag int
	}{
		"alice":    {login{user: "alice", password: "secret of alice"}, 200, 201, 403},
		"bob":      {login{user: "bob", password: "secret of bob"}, 200, 403, 403},
		"ci":       {login{bearer: token}, 200, 201, 403},
		"ci-basic": {login{user: "ci", password: token}, 200, 201, 403},
		"boss":     {login{cert: "boss"}, 200, 201, 200},
		"gone":     {login{user: "gone", password: "secret of gone"}, 403, 403, 403},
		"nobody":   {login{}, 401, 401, 401},
	} {
		v := e.visitor(d, as.login)
		got := [...]int{
			v.get("builds.json"),
			v.ask(http.MethodPut, "upload/of-"+name, "x").StatusCode,
			v.ask(http.MethodPost, "v1/tag", strings.Replace(tag, "TAG", name, 1)).StatusCode,
		}
		if want := [...]int{as.look, as.write, as.tag}; got != want {
			e.Errorf("%s: looking, writing, tagging gave %v, want %v", name, got, want)
		}
	}
}

// turnedAway checks what those get who can't log in.
func (e *env) turnedAway(d *door, token string) {
	stranger := e.visitor(d, login{})
	if a := stranger.ask("PROPFIND", "", ""); a.StatusCode != 401 || !strings.HasPrefix(a.Header.Get("WWW-Authenticate"), "Basic ") || len(a.Header.Values("WWW-Authenticate")) != 1 {
		e.Errorf("PROPFIND without a login: %d, %q", a.StatusCode, a.Header.Values("WWW-Authenticate"))
	}
	if n := stranger.get("healthz"); n != 200 {
		e.Errorf("/healthz without a login: %d", n)
	}
	for _, c := range []struct {
		name string
		login
		want int
	}{
		{"wrong password", login{user: "alice", password: "a guess"}, 401},
		{"unknown name", login{user: "eve", password: "a guess"}, 401},
		{"wrong token", login{bearer: token + "x"}, 401},
		{"another's token", login{user: "alice", password: token}, 401},
		{"two names", login{user: "alice", password: "secret of alice", cert: "boss"}, 403},
		{"its certificate too", login{user: "boss", password: "a guess", cert: "boss"}, 401},
	} {
		if a := e.visitor(d, c.login).ask(http.MethodGet, "builds.json", ""); a.StatusCode != c.want {
			e.Errorf("%s: %d, want %d: %s", c.name, a.StatusCode, c.want, a.text)
		}
	}
}

// makers checks who may have something made. Here it fails at once, as there are no
// packages; what counts is who gets as far as that.
func (e *env) makers(d *door, token string) {
	const image = "next/x86_64/qemu.qcow2"
	before := e.jobFolders()
	bob := e.visitor(d, login{user: "bob", password: "secret of bob"})
	if a := bob.ask(http.MethodGet, image, ""); a.StatusCode != 403 || !strings.Contains(a.text, "hint: ") {
		e.Errorf("a reader opens what must be made: %d, %s", a.StatusCode, a.text)
	}
	if a := bob.ask(http.MethodPost, "v1/build", "{}"); a.StatusCode != 403 {
		e.Errorf("a reader builds: %d, %s", a.StatusCode, a.text)
	}
	if n := e.jobFolders() - before; n != 0 {
		e.Errorf("readers started %d jobs", n)
	}
	ci := e.visitor(d, login{bearer: token})
	if a := ci.ask(http.MethodGet, image, ""); a.StatusCode != 424 || !strings.Contains(a.text, "log: /.cosafs/jobs/") {
		e.Errorf("a builder opens what fails to be made: %d, %s", a.StatusCode, a.text)
	}
	if n := e.jobFolders() - before; n != 1 {
		e.Errorf("the builder started %d jobs, want one", n)
	}
}

// protocols checks what is spoken on the wire.
func (e *env) protocols(d *door) {
	for tlsVersion, want := range map[uint16]int{tls.VersionTLS11: 0, tls.VersionTLS12: http.StatusOK, tls.VersionTLS13: http.StatusOK} {
		v := e.visitor(d, login{cert: "boss"})
		v.transport.TLSClientConfig.MinVersion, v.transport.TLSClientConfig.MaxVersion = tlsVersion, tlsVersion
		if n := v.get("builds.json"); n != want {
			e.Errorf("%s: %d, want %d", tls.VersionName(tlsVersion), n, want)
		}
	}
	v := e.visitor(d, login{cert: "boss"})
	v.transport.Protocols = new(http.Protocols)
	v.transport.Protocols.SetHTTP2(true)
	if a := v.ask(http.MethodGet, "builds.json", ""); a.StatusCode != http.StatusOK || a.ProtoMajor != 2 {
		e.Errorf("who speaks HTTP/2 alone gets %d over %s", a.StatusCode, a.Proto)
	}
	plain := e.visitor(d, login{})
	plain.url = strings.Replace(d.url, "https:", "http:", 1)
	if n := plain.get("builds.json"); n != http.StatusBadRequest {
		e.Errorf("plain HTTP at a door with TLS: %d", n)
	}
}

// guesses sends wrong passwords until that is too many for the name. Who was let in
// before, and others, get on.
func (e *env) guesses(d *door) {
	guess := e.visitor(d, login{user: "alice", password: "a guess"})
	refused := answered{&http.Response{}, ""}
	for i := 0; i < 60 && refused.StatusCode != http.StatusTooManyRequests; i++ {
		refused = guess.ask(http.MethodGet, "builds.json", "")
	}
	if refused.StatusCode != http.StatusTooManyRequests || refused.Header.Get("Retry-After") == "" {
		e.Errorf("sixty guesses end with %d, Retry-After %q", refused.StatusCode, refused.Header.Get("Retry-After"))
	}
	for _, name := range []string{"alice", "bob"} {
		if n := e.visitor(d, login{user: name, password: "secret of " + name}).get("builds.json"); n != http.StatusOK {
			e.Errorf("meanwhile %s gets %d", name, n)
		}
	}
}

// What an administrator changes counts within seconds, without a restart: new and old
// passwords, a certificate. A file that can't be used changes nothing.
func TestDAVLoginsAreReadAgain(t *testing.T) {
	e := newServed(t, "openssl", "htpasswd")
	d, _ := guarded(e)
	soon := func(what string, ok func() bool) { t.Helper(); e.eventually(what, 30*time.Second, ok) }
	bob, carol := login{user: "bob", password: "secret of bob"}, login{user: "carol", password: "secret of carol"}
	if b, c := e.visitor(d, bob).get("builds.json"), e.visitor(d, carol).get("builds.json"); b != 200 || c != 401 {
		t.Fatalf("bob gets %d, carol %d", b, c)
	}
	e.htpasswd("carol", "secret of carol")
	soon("carol is let in", func() bool { return e.visitor(d, carol).get("builds.json") == 200 })
	e.sh("htpasswd", "-D", filepath.Join(e.dir, "users"), "bob")
	soon("bob is not", func() bool { return e.visitor(d, bob).get("builds.json") == 401 })
	later := login{bearer: e.token("later")}
	soon("a new token counts", func() bool { return e.visitor(d, later).get("builds.json") == 200 })

	e.write("users", "carol:no hash\n")
	soon("the log tells of the broken file", func() bool {
		return e.visitor(d, carol).get("builds.json") == 200 && strings.Contains(e.log(), "a changed file can't be used")
	})

	serial := func() string {
		a := e.visitor(d, carol).ask(http.MethodGet, "builds.json", "")
		if a.StatusCode != 200 {
			t.Fatalf("carol gets %d: %s", a.StatusCode, a.text)
		}
		return a.TLS.PeerCertificates[0].SerialNumber.String()
	}
	before := serial()
	e.issue("server")
	soon("the new certificate is shown", func() bool { return serial() != before })
}
