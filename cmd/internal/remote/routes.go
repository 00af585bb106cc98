package remote

import (
	"net/http"
	"strings"
	"time"

	"cosafs/cmd/internal/auth"
	"cosafs/materialize"
	"cosafs/vfs/access"
)

// The paths that are not of the tree. Builds of these names can't be seen here.
const (
	apiPath    = "/v1"
	uploadPath = "/upload"
	uiPath     = "/.cosafs/ui"
	loginPath  = uiPath + "/login"
)

// usualLinger is how long a job goes on whose HTTP clients have left: they come
// back after a time-out.
const usualLinger = 30 * time.Minute

// handler is everything between a connection and the doors.
func (s *Server) handler(cfg Config, who admission, d doors, m *metrics) http.Handler {
	inside := wish(cfg.Linger, d.routes(m))
	inside = newRates(cfg.Rate).wrap(inside)
	if who.open {
		inside = hostsKnown(cfg.Hosts).check(inside)
	}
	return s.watch(m, turnAway(protected(bounded(byPath(map[string]http.Handler{
		"/healthz":    plain(alive),
		"/readyz":     plain(ready(cfg.Ready)),
		"/robots.txt": plain(noRobots),
		loginPath:     who.guard.Demand(noted(http.HandlerFunc(goHome))),
	}, who.guard.Wrap(noted(inside)))))))
}

// byPath serves some paths, and has the rest of them served.
func byPath(some map[string]http.Handler, rest http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h := some[r.URL.Path]; h != nil {
			h.ServeHTTP(w, r)
			return
		}
		rest.ServeHTTP(w, r)
	})
}

// routes puts the doors together. It looks at paths as they come: http.ServeMux
// would redirect those that are not clean, which is nothing for clients of WebDAV.
func (d doors) routes(m *metrics) http.Handler {
	byDoor := map[string]http.Handler{doorAPI: d.api, doorPage: d.page, doorUpload: d.upload, doorMetrics: m}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := byDoor[doorOf(r.URL.Path)]
		if h == nil {
			h = d.files
		}
		h.ServeHTTP(w, r)
	})
}

// The doors by their names in metrics.
const (
	doorAPI     = "api"
	doorPage    = "page"
	doorUpload  = "upload"
	doorFiles   = "files"
	doorMetrics = "metrics"
	doorHealth  = "health"
)

// doorOf says which door a path leads to.
func doorOf(path string) string {
	switch {
	case below(path, apiPath):
		return doorAPI
	case below(path, uiPath):
		return doorPage
	case below(path, uploadPath):
		return doorUpload
	case path == "/metrics":
		return doorMetrics
	case path == "/healthz", path == "/readyz", path == "/robots.txt":
		return doorHealth
	}
	return doorFiles
}

// below says whether a path is dir or in it.
func below(path, dir string) bool {
	rest, ok := strings.CutPrefix(path, dir)
	return ok && (rest == "" || rest[0] == '/')
}

// noted tells the log who asks.
func noted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if v := visitOf(r.Context()); v != nil {
			v.caller = access.Of(r.Context())
		}
		next.ServeHTTP(w, r)
	})
}

// wish says of jobs how long they go on for HTTP clients, and who may start them.
func wish(linger time.Duration, next http.Handler) http.Handler {
	if linger == 0 {
		linger = usualLinger
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := materialize.WithLinger(r.Context(), linger)
		if access.Of(ctx).Role < access.Builder {
			ctx = materialize.WithoutMaking(ctx)
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// protected has browsers take nothing for what it is not said to be, and show
// nothing of this site inside another. The policy is for whatever has none of its
// own: a build may hold a page, which must not act for who looks at it. What a
// browser asks on behalf of another site is answered without a word: nothing is
// allowed to it.
func protected(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		if auth.Preflight(r) {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// goHome is where a browser has logged in: it sends the login along with what it
// asks below the same directory from now on, as forms are.
func goHome(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusSeeOther) }
