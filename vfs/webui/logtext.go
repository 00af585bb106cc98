package webui

import (
	"net/http"
	"strconv"
)

// logText serves a job's log as it is, with follow until the job ends.
func logText(s Service) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		follow, err := boolOf(r, "follow")
		if err != nil {
			writeError(w, err)
			return
		}
		out := &textWriter{w: w}
		err = s.Log(r.Context(), r.PathValue("id"), follow && r.Method != http.MethodHead, out)
		switch {
		case err == nil:
			out.begin()
		case !out.begun:
			writeError(w, err)
		default:
			panic(http.ErrAbortHandler) // which a client takes for what it is: not the end
		}
	})
}

// boolOf reads a parameter that is true or false; false where it isn't given.
func boolOf(r *http.Request, name string) (bool, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return false, nil
	}
	v, err := strconv.ParseBool(text)
	if err != nil {
		return false, badParameter(name, text, "1 or 0")
	}
	return v, nil
}

// A textWriter writes text as it comes. The header goes out with the first piece,
// so that an error before it still has a status of its own.
type textWriter struct {
	w     http.ResponseWriter
	begun bool
}

func (t *textWriter) begin() {
	if t.begun {
		return
	}
	t.begun = true
	h := t.w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff") // what a build prints is no page
	t.w.WriteHeader(http.StatusOK)
}

// Write sends a piece at once.
func (t *textWriter) Write(p []byte) (int, error) {
	t.begin()
	n, err := t.w.Write(p)
	if err == nil {
		err = http.NewResponseController(t.w).Flush()
	}
	return n, err
}
