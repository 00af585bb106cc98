package webui

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"cosafs/materialize"
	"cosafs/vfs/access"
)

// A route is one call of the API.
type route struct {
	method string
	path   string      // a pattern of http.ServeMux
	role   access.Role // the least that a caller needs
	local  bool        // only for callers of the unix socket
	serve  http.Handler
}

// name is what the route is called in errors and in the API's document.
func (rt route) name() string { return rt.method + " " + rt.path }

// reading is a call that changes nothing.
func reading(path string, h http.Handler) route {
	return route{method: http.MethodGet, path: path, role: access.Reader, serve: h}
}

// doing is a call for those who have the role.
func doing(role access.Role, path string, h http.Handler) route {
	return route{method: http.MethodPost, path: path, role: role, serve: h}
}

// ownOnly is a call about this machine, for the user of its socket.
func ownOnly(path string, h http.Handler) route {
	return route{method: http.MethodPost, path: path, role: access.Admin, local: true, serve: h}
}

// routes are the calls that s offers.
func routes(s Service) []route {
	all := slices.Concat(statusRoutes(s), jobRoutes(s), workRoutes(s), changeRoutes(s))
	if k, ok := s.(Keeper); ok {
		all = append(all, keeperRoutes(k)...)
	}
	if c, ok := s.(Compressor); ok {
		all = append(all, compressorRoute(c))
	}
	if m, ok := s.(Remaker); ok {
		all = append(all, remakerRoute(m))
	}
	if m, ok := s.(Mounter); ok {
		all = append(all, mounterRoutes(m)...)
	}
	if o, ok := s.(Opener); ok {
		all = append(all, openerRoute(o))
	}
	return all
}

// Handler serves s as HTTP/JSON under /v1/; GET /v1/openapi.json describes it. The
// calls of a [Keeper], [Compressor], [Remaker], [Mounter] and [Opener] are there when s is one. Who asks
// says the request's ctx (see [access.Of], [Local]): looking takes a reader,
// starting and ending jobs a builder, everything else an admin; mounts and doors
// are for the unix socket alone. Changes that another site or a browser's form
// asks for are refused. A request's ctx ends with its client; the jobs it waited
// for linger as the service decides.
func Handler(s Service) http.Handler {
	mux := http.NewServeMux()
	methods := map[string][]string{}
	for _, rt := range routes(s) {
		mux.Handle(rt.name(), rt.guarded())
		methods[rt.path] = append(methods[rt.path], rt.method)
	}
	for path, has := range methods {
		mux.Handle(path, otherMethods(has))
	}
	mux.HandleFunc("/", noCall)
	return sameSite(mux)
}

// otherMethods answers what a path has no call for.
func otherMethods(has []string) http.Handler {
	if slices.Contains(has, http.MethodGet) {
		has = append(slices.Clone(has), http.MethodHead)
	}
	allow := strings.Join(append(slices.Sorted(slices.Values(has)), http.MethodOptions), ", ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", allow)
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		writeError(w, materialize.Fail(materialize.ClassConfig, r.Method+" "+r.URL.Path, "it takes "+allow,
			fmt.Errorf("%w of this call", errNoMethod)))
	})
}

// noCall answers paths that are none of the API's, or none of this service's.
func noCall(w http.ResponseWriter, r *http.Request) {
	writeError(w, materialize.Fail(materialize.ClassConfig, r.Method+" "+r.URL.Path, "see what there is: GET /v1/openapi.json",
		fmt.Errorf("%w (%w)", errNoCall, errBadRequest)))
}
