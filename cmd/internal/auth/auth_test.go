package auth_test

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"cosafs/cmd/internal/auth"
	"cosafs/materialize"
	"cosafs/vfs/access"
)

func TestOpenRefuses(t *testing.T) {
	good := line(t, "alice", "a")
	for _, c := range []struct {
		what string
		cfg  auth.Config
		says string
		is   error
	}{
		{"no such htpasswd file", auth.Config{Htpasswd: "/nowhere/htpasswd"}, "/nowhere/htpasswd", fs.ErrNotExist},
		{"no such token file", auth.Config{Tokens: "/nowhere/tokens"}, "/nowhere/tokens", fs.ErrNotExist},
		{"a password in clear", auth.Config{Htpasswd: file(t, good+"\n# more\nbob:hunter2\n")}, "line 4", fs.ErrInvalid},
		{"a token in clear", auth.Config{Tokens: file(t, "ci:cosafs_secret\n")}, "line 1", fs.ErrInvalid},
		{"a grant without a role", auth.Config{Grants: []string{"alice"}}, "alice", fs.ErrInvalid},
		{"a grant without a name", auth.Config{Grants: []string{"=admin"}}, "=admin", fs.ErrInvalid},
		{"an unknown role", auth.Config{Grants: []string{"alice=root"}}, "root", fs.ErrInvalid},
		{"two roles", auth.Config{Grants: []string{"alice=reader", "alice=admin"}}, "alice", fs.ErrInvalid},
		{"everybody an admin", auth.Config{Everybody: access.Admin}, "admin", fs.ErrInvalid},
		{"everybody a number", auth.Config{Everybody: -1}, "-1", fs.ErrInvalid},
	} {
		g, err := auth.Open(c.cfg)
		var f *materialize.Failure
		if g != nil || !errors.Is(err, c.is) || !errors.As(err, &f) || f.Hint == "" || f.Class != materialize.ClassConfig {
			t.Errorf("%s: %v, %v", c.what, g, err)
			continue
		}
		if !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %q does not say %q", c.what, err, c.says)
		}
		for _, secret := range []string{"hunter2", "cosafs_secret"} {
			if strings.Contains(err.Error()+f.Hint, secret) {
				t.Errorf("%s: %q gives a secret away", c.what, err)
			}
		}
	}
}

func TestOldSchemesAreRefusedWithAHint(t *testing.T) {
	for _, flag := range []string{"-m", "-s", "-d", "-p", "-2", "-5"} {
		path := filepath.Join(t.TempDir(), "htpasswd")
		htpasswd(t, "-cbB", path, "alice", "secret")
		htpasswd(t, "-b", flag, path, "bob", "secret")
		_, err := auth.Open(auth.Config{Htpasswd: path})
		var f *materialize.Failure
		if !errors.As(err, &f) || !strings.Contains(err.Error(), "line 2") || !strings.Contains(f.Hint, "htpasswd -B") {
			t.Errorf("htpasswd %s: %v", flag, err)
		}
	}
}

func TestLogins(t *testing.T) {
	for _, c := range []struct {
		what string
		cfg  auth.Config
		want bool
	}{
		{"nothing", auth.Config{}, false},
		{"everybody", auth.Config{Everybody: access.Builder}, false},
		{"empty files", auth.Config{Htpasswd: file(t, "# nobody yet\n"), Tokens: file(t, "")}, false},
		{"a password", auth.Config{Htpasswd: file(t, line(t, "alice", "a"))}, true},
		{"a token", auth.Config{Tokens: file(t, tokenLine("ci", "t"))}, true},
		{"certificates", auth.Config{ClientCerts: true}, true},
	} {
		if got := open(t, c.cfg).Logins(); got != c.want {
			t.Errorf("%s: %v", c.what, got)
		}
	}
}

func TestRoles(t *testing.T) {
	cfg := auth.Config{
		Htpasswd: file(t, line(t, "alice", "a")+line(t, "bob", "b")+line(t, "a=b", "c")+line(t, "mallory", "m")),
		Grants:   []string{"alice=admin", "alice=admin", "a=b=builder", "mallory=nobody"},
	}
	f := open(t, cfg)
	f.want(t, request{user: "alice", password: "a"}, 200, "alice admin 127.0.0.1")
	f.want(t, request{user: "bob", password: "b"}, 200, "bob reader 127.0.0.1")
	f.want(t, request{user: "a=b", password: "c"}, 200, "a=b builder 127.0.0.1")
	f.want(t, request{user: "mallory", password: "m"}, 403, "")
	f.want(t, request{}, 401, "")

	cfg.Everybody = access.Builder
	f = open(t, cfg)
	f.want(t, request{}, 200, " builder 127.0.0.1")
	f.want(t, request{user: "bob", password: "b"}, 200, "bob builder 127.0.0.1")
	f.want(t, request{user: "mallory", password: "m"}, 403, "")
	f.want(t, request{user: "bob", password: "wrong"}, 401, "")
}
