package remote

import (
	"fmt"
	"io"
	"net/http"
)

// plain answers GET and HEAD with what text gives: "" and an error are a 503 with
// the reason.
func plain(text func() (string, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "Only GET and HEAD.", http.StatusMethodNotAllowed)
			return
		}
		said, err := text()
		if err != nil {
			retryLater(w, http.StatusServiceUnavailable, fmt.Sprintf("not ready: %v", err), 5)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		_, _ = io.WriteString(w, said) // who asked may be gone
	})
}

// alive answers while the process does.
func alive() (string, error) { return "ok\n", nil }

// ready asks whether requests should come.
func ready(ask func() error) func() (string, error) {
	return func() (string, error) {
		if ask == nil {
			return "ready\n", nil
		}
		return "ready\n", ask()
	}
}

// noRobots asks indexers to stay away: they open everything, and most of what can
// be opened here would have to be built.
func noRobots() (string, error) { return "User-agent: *\nDisallow: /\n", nil }
