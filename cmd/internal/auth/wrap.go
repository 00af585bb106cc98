package auth

import (
	"net/http"

	"cosafs/vfs/access"
)

// Wrap lets requests through to next, with their caller in the ctx
// ([access.Of]). Others are answered: 401 asks for a login, 403 is for one that
// can't do, 429 and 503 with Retry-After are for too many of them. What a browser
// asks before a request to another site (a CORS preflight) never carries a login
// and needs none: next has to answer it without giving anything away.
func (g *Guard) Wrap(next http.Handler) http.Handler { return g.wrap(next, g.cfg.Everybody) }

// Demand is Wrap for a place that has to be logged in for, whatever everybody
// may do: browsers ask for a password only where they are told to.
func (g *Guard) Demand(next http.Handler) http.Handler { return g.wrap(next, access.Nobody) }

func (g *Guard) wrap(next http.Handler, everybody access.Role) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from := placeOf(r)
		caller := access.Caller{Addr: from.addr, Role: everybody}
		if !Preflight(r) {
			name, refused := g.identify(r, from)
			if refused == nil && name != "" {
				caller.Name, caller.Role = name, g.roleOf(name)
			}
			if refused == nil {
				refused = g.admit(caller, r, from)
			}
			if refused != nil {
				g.answer(w, r, refused)
				return
			}
		}
		next.ServeHTTP(w, r.WithContext(access.With(r.Context(), caller)))
	})
}

// Preflight knows what a browser sends before a request to another site, without a
// login (Fetch standard, CORS-preflight request).
func Preflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}

// admit refuses those who may do nothing. No password is asked for over a
// connection that it must not be sent on.
func (g *Guard) admit(c access.Caller, r *http.Request, from place) *refusal {
	switch {
	case c.Role > access.Nobody:
		return nil
	case c.Name != "":
		return forbidden(c.Name + " may do nothing here.")
	case !g.takesSecrets():
		return forbidden("Come with a client certificate that this server knows.")
	case g.exposed(r, from):
		return plainRefusal()
	}
	return wrong("Log in.")
}

// exposed says that others could read what the request carries.
func (g *Guard) exposed(r *http.Request, from place) bool {
	return r.TLS == nil && !from.local && !g.cfg.AllowPlain
}
