package remote

import (
	"crypto/tls"
	"fmt"
	"io/fs"

	"cosafs/cmd/internal/auth"
	"cosafs/cmd/internal/certs"
	"cosafs/materialize"
	"cosafs/vfs/access"
)

// An admission says who may come in.
type admission struct {
	guard *auth.Guard
	open  bool // some come in without a login: then the Host header is checked
}

// admit reads the files of logins, and judges whether they go with the place.
func admit(cfg Config, p place) (admission, error) {
	everybody, err := everybodyOf(cfg)
	if err != nil {
		return admission{}, err
	}
	if everybody == access.Nobody && !p.public && !asksLogin(cfg) {
		everybody = access.Builder // who is on this machine could run cosafs, too
	}
	guard, err := auth.Open(auth.Config{
		Htpasswd: cfg.Htpasswd, Tokens: cfg.Tokens, Grants: cfg.Grants, Everybody: everybody,
		ClientCerts: cfg.ClientCA != "", AllowPlain: cfg.AllowPlain, Logger: cfg.Logger,
	})
	if err != nil {
		return admission{}, err
	}
	if everybody == access.Nobody && !guard.Logins() {
		if p.public {
			return admission{}, errPublic(cfg)
		}
		cfg.Logger.Warn("nobody can log in yet: the files name nobody", "addr", cfg.Addr)
	}
	if p.public && cfg.Cert == "" && !cfg.AllowPlain && (cfg.Htpasswd != "" || cfg.Tokens != "") {
		cfg.Logger.Warn("logins from other machines are taken over TLS only, and there is no certificate", "addr", cfg.Addr)
	}
	return admission{guard: guard, open: everybody != access.Nobody}, nil
}

// asksLogin says whether somebody meant callers to log in.
func asksLogin(cfg Config) bool {
	return cfg.Htpasswd != "" || cfg.Tokens != "" || cfg.ClientCA != ""
}

// everybodyOf reads the role of those who don't log in.
func everybodyOf(cfg Config) (access.Role, error) {
	if cfg.Everybody == "" {
		return access.Nobody, nil
	}
	role, err := access.ParseRole(cfg.Everybody)
	if err == nil && role != access.Reader && role != access.Builder {
		err = fmt.Errorf("everybody can't be %s: %w", role, fs.ErrInvalid)
	}
	if err != nil {
		return access.Nobody, materialize.Fail(materialize.ClassConfig, "let everybody in",
			"give --let-everybody reader, or builder", err)
	}
	return role, nil
}

// errPublic refuses an address that anybody could come to.
func errPublic(cfg Config) error {
	return materialize.Fail(materialize.ClassConfig, "serve "+cfg.Addr,
		"say who may log in with --htpasswd FILE, --tokens FILE or --client-ca FILE, or let everybody in with --let-everybody reader; "+
			"for this machine alone use --addr 127.0.0.1:8080",
		fmt.Errorf("other machines reach this address, and nobody could log in: %w", fs.ErrPermission))
}

// openTLS reads the certificate; nil = plain HTTP.
func openTLS(cfg Config) (*tls.Config, error) {
	if cfg.Cert == "" && cfg.Key == "" && cfg.ClientCA == "" {
		return nil, nil
	}
	if cfg.Cert == "" || cfg.Key == "" {
		return nil, materialize.Fail(materialize.ClassConfig, "serve "+cfg.Addr, "give both --tls-cert FILE and --tls-key FILE",
			fmt.Errorf("TLS needs a certificate and its key: %w", fs.ErrInvalid))
	}
	pair, err := certs.Open(cfg.Cert, cfg.Key, cfg.Logger)
	if err != nil {
		return nil, err
	}
	return pair.Config(cfg.ClientCA)
}
