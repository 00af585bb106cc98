// Package auth says who a request comes from: by a password, a token or a
// client certificate. It notes the caller in the request's ctx ([access.With])
// for the doors, which decide what he may do. It knows no routes.
package auth

import (
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"log/slog"
	"time"

	"golang.org/x/crypto/bcrypt"

	"cosafs/cmd/internal/reload"
	"cosafs/materialize"
	"cosafs/vfs/access"
)

// A Config says who may come in. Files are named by absolute paths.
type Config struct {
	// Htpasswd holds names and bcrypt hashes, as `htpasswd -B` writes them; "" = no
	// passwords.
	Htpasswd string
	// Tokens holds lines NAME:SHA256HEX, as [NewToken] makes them; "" = no tokens. A
	// token is sent as a bearer token, or as its name's password. A name may have
	// several, and a password too.
	Tokens string
	// Grants are NAME=ROLE. Who has none is a reader, or what everybody is.
	Grants []string
	// Everybody is the role of those who send no credentials; [access.Builder] at
	// most. Wrong credentials are refused all the same.
	Everybody access.Role
	// ClientCerts takes the common name of a verified client certificate for the
	// caller's name.
	ClientCerts bool
	// AllowPlain takes passwords and tokens over unencrypted connections from other
	// machines, too: for a proxy on another machine that ends TLS.
	AllowPlain bool

	Logger *slog.Logger     // nil discards; secrets are never logged
	Now    func() time.Time // nil = time.Now
}

// A Guard tells callers apart. It is safe for concurrent use and starts nothing
// of its own.
type Guard struct {
	cfg    Config
	users  *reload.Value[*users]  // nil without Htpasswd
	tokens *reload.Value[[]token] // nil without Tokens
	grants map[string]access.Role

	compare func(hash, password []byte) error // bcrypt
	memory  *memory
	slots   *slots
	addrs   *limits // failures by address
	names   *limits // failures by name
}

// Open reads the files. A bad line is an error with its number and what to do,
// a bad grant or role is fs.ErrInvalid.
func Open(cfg Config) (*Guard, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Everybody < access.Nobody || cfg.Everybody > access.Builder {
		return nil, materialize.Fail(materialize.ClassConfig, "let everybody in", "give reader or builder",
			fmt.Errorf("everybody can't be %s: %w", cfg.Everybody, fs.ErrInvalid))
	}
	grants, err := parseGrants(cfg.Grants)
	if err != nil {
		return nil, err
	}
	g := &Guard{
		cfg: cfg, grants: grants, compare: bcrypt.CompareHashAndPassword, memory: newMemory(),
		slots: newSlots(), addrs: newLimits(), names: newLimits(),
	}
	if err := errors.Join(g.openUsers(), g.openTokens()); err != nil {
		return nil, err
	}
	return g, nil
}

func (g *Guard) openUsers() (err error) {
	path, seed := g.cfg.Htpasswd, maphash.MakeSeed()
	if path == "" {
		return nil
	}
	g.users, err = reload.Open(g.watch(path), func() (*users, error) { return readUsers(path, seed) })
	return err
}

func (g *Guard) openTokens() (err error) {
	path := g.cfg.Tokens
	if path == "" {
		return nil
	}
	g.tokens, err = reload.Open(g.watch(path), func() ([]token, error) { return readTokens(path) })
	return err
}

func (g *Guard) watch(path string) reload.Config {
	return reload.Config{Paths: []string{path}, Logger: g.cfg.Logger, Now: g.cfg.Now}
}

// Logins says whether anybody can log in now.
func (g *Guard) Logins() bool {
	return g.cfg.ClientCerts || g.users != nil && g.users.Get().known() || g.tokens != nil && len(g.tokens.Get()) > 0
}

// takesSecrets says whether passwords or tokens mean anything here.
func (g *Guard) takesSecrets() bool { return g.users != nil || g.tokens != nil }

// roleOf gives a caller's role. He never loses by logging in, unless a grant
// says so.
func (g *Guard) roleOf(name string) access.Role {
	if role, ok := g.grants[name]; ok {
		return role
	}
	return max(access.Reader, g.cfg.Everybody)
}
