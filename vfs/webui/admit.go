package webui

import (
	"context"
	"fmt"
	"io/fs"
	"mime"
	"net/http"

	"cosafs/materialize"
	"cosafs/vfs/access"
)

type localKey struct{}

// Local has h take its callers for the user of the unix socket, who may do
// everything: [Runtime.Listen] let nobody else in.
func Local(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := access.With(r.Context(), access.Caller{Name: "local", Role: access.Admin})
		h.ServeHTTP(w, r.WithContext(context.WithValue(ctx, localKey{}, true)))
	})
}

// isLocal says whether the request came through the unix socket.
func isLocal(ctx context.Context) bool {
	local, _ := ctx.Value(localKey{}).(bool)
	return local
}

// guarded is the route for those who may take it.
func (rt route) guarded() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := rt.admit(r); err != nil {
			writeError(w, err)
			return
		}
		rt.serve.ServeHTTP(w, r)
	})
}

// admit refuses who may not take the route, and what only a browser's form sends:
// the API is for programs, which say that they send JSON.
func (rt route) admit(r *http.Request) error {
	local := isLocal(r.Context())
	if rt.local && !local {
		return materialize.Fail(materialize.ClassConfig, rt.name(), "run cosafs on the machine that the daemon runs on",
			fmt.Errorf("this is for its own user there only: %w", fs.ErrPermission))
	}
	if err := access.Of(r.Context()).Demand(rt.role, rt.name()); err != nil {
		return err
	}
	if rt.method == http.MethodPost && !local && isForm(r.Header.Get("Content-Type")) {
		return materialize.Fail(materialize.ClassConfig, rt.name(), "send the header Content-Type: application/json", errForm)
	}
	return nil
}

// isForm says whether a page of any site can have a browser send this type without
// asking first (Fetch standard, CORS-safelisted request-header).
func isForm(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return contentType != "" // nothing that a program means
	}
	switch kind {
	case "application/x-www-form-urlencoded", "multipart/form-data", "text/plain":
		return true
	}
	return false
}

// sameSite refuses changes that a page of another site has a browser ask for.
func sameSite(next http.Handler) http.Handler {
	p := http.NewCrossOriginProtection()
	p.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		writeError(w, materialize.Fail(materialize.ClassConfig, r.Method+" "+r.URL.Path, "use the pages of this server, or a program",
			fmt.Errorf("a page of another site asks for it: %w", fs.ErrPermission)))
	}))
	return p.Handler(next)
}
