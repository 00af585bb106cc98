package webui

import (
	"context"
	"net/http"
	"net/url"

	"cosafs/vfs/internal/prefer"
)

// started is the answer to a call that the client does not wait for.
type started struct {
	Job string `json:"job"` // its id: see GET /v1/jobs/{id}
}

// startable serves a call that streams, or that only starts a job where the client
// prefers that. What turns out to be done already is answered as by stream.
func startable[In any](wait func(context.Context, In, *streamer) (any, error), start func(context.Context, In) (string, any, error)) http.Handler {
	return withBody(func(w http.ResponseWriter, r *http.Request, req In) {
		out := &streamer{w: w}
		if !prefer.Of(r.Header).Async {
			v, err := wait(r.Context(), req, out)
			out.finish(v, err)
			return
		}
		job, v, err := start(r.Context(), req)
		if err != nil || job == "" {
			out.finish(v, err)
			return
		}
		w.Header().Set("Location", "/v1/jobs/"+url.PathEscape(job))
		w.Header().Set("Preference-Applied", "respond-async")
		writeJSON(w, http.StatusAccepted, started{Job: job})
	})
}
