package webui

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"cosafs/materialize"
)

// maxBody bounds a request's body in bytes; the largest is a list of build ids.
const maxBody = 1 << 20

// Handler serves s as HTTP/JSON under /v1/, and the mount routes when s is a
// [Mounter], too. A request's ctx ends with its client; the jobs it waited for
// linger as the service decides.
func Handler(s Service) http.Handler {
	mux := http.NewServeMux()
	addReading(mux, s)
	addWork(mux, s)
	addChanges(mux, s)
	if m, ok := s.(Mounter); ok {
		addMounts(mux, m)
	}
	if k, ok := s.(Keeper); ok {
		addKeeping(mux, k)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, fmt.Errorf("%s %s: no such call: %w", r.Method, r.URL.Path, errBadRequest))
	})
	return mux
}

// addReading adds the calls that change nothing.
func addReading(mux *http.ServeMux, s Service) {
	mux.Handle("GET /v1/status", answer(func(r *http.Request) (Status, error) {
		return s.Status(r.Context())
	}))
	mux.Handle("GET /v1/builds", answer(func(r *http.Request) ([]BuildInfo, error) {
		return s.Builds(r.Context())
	}))
	mux.Handle("GET /v1/builds/{id}", answer(func(r *http.Request) (BuildInfo, error) {
		return s.Show(r.Context(), r.PathValue("id"), r.URL.Query().Get("arch"))
	}))
	mux.Handle("GET /v1/plan", answer(func(r *http.Request) (materialize.Plan, error) {
		return s.Plan(r.Context(), r.URL.Query().Get("path"))
	}))
	mux.Handle("GET /v1/jobs", answer(func(r *http.Request) ([]materialize.JobInfo, error) {
		return s.Jobs(r.Context())
	}))
}

// addWork adds the calls that take long and stream.
func addWork(mux *http.ServeMux, s Service) {
	mux.Handle("POST /v1/build", stream(func(ctx context.Context, req BuildRequest, out *streamer) (any, error) {
		return s.Build(ctx, req, out.tell)
	}))
	mux.Handle("POST /v1/materialise", stream(func(ctx context.Context, req pathRequest, out *streamer) (any, error) {
		return s.Materialise(ctx, req.Path, out.tell)
	}))
	mux.Handle("POST /v1/jobs/{id}/log", streamRequest(func(r *http.Request, req logRequest, out *streamer) (any, error) {
		return struct{}{}, s.Log(r.Context(), r.PathValue("id"), req.Follow, out)
	}))
}

// addChanges adds the short calls that change something.
func addChanges(mux *http.ServeMux, s Service) {
	mux.Handle("POST /v1/jobs/{id}/cancel", answer(func(r *http.Request) (struct{}, error) {
		return struct{}{}, s.Cancel(r.Context(), r.PathValue("id"))
	}))
	mux.Handle("POST /v1/retry", accept(func(ctx context.Context, req pathRequest) (struct{}, error) {
		return struct{}{}, s.Retry(ctx, req.Path)
	}))
	mux.Handle("POST /v1/prune", accept(func(ctx context.Context, req PruneRequest) ([]materialize.BuildRef, error) {
		return s.Prune(ctx, req)
	}))
	mux.Handle("POST /v1/tag", accept(func(ctx context.Context, req tagRequest) (struct{}, error) {
		return struct{}{}, s.Tag(ctx, req.Name, req.ID)
	}))
	mux.Handle("POST /v1/untag", accept(func(ctx context.Context, req tagRequest) (struct{}, error) {
		return struct{}{}, s.Untag(ctx, req.Name)
	}))
}

// addMounts adds the calls of a [Mounter].
func addMounts(mux *http.ServeMux, m Mounter) {
	mux.Handle("POST /v1/mount", accept(func(ctx context.Context, req MountRequest) (struct{}, error) {
		return struct{}{}, m.Mount(ctx, req)
	}))
	mux.Handle("POST /v1/unmount", accept(func(ctx context.Context, req MountRequest) (struct{}, error) {
		return struct{}{}, m.Unmount(ctx, req.Dir)
	}))
}

// addKeeping adds the calls of a [Keeper].
func addKeeping(mux *http.ServeMux, k Keeper) {
	mux.Handle("POST /v1/find", stream(func(ctx context.Context, req FindRequest, out *streamer) (any, error) {
		return k.Find(ctx, req, out.tell)
	}))
	mux.Handle("POST /v1/diff", accept(k.Diff))
	mux.Handle("POST /v1/sync", stream(func(ctx context.Context, _ struct{}, out *streamer) (any, error) {
		return struct{}{}, k.Sync(ctx, out.tell)
	}))
	mux.Handle("POST /v1/pin", accept(func(ctx context.Context, req pinRequest) (struct{}, error) {
		return struct{}{}, k.Pin(ctx, req.Path, req.Pinned)
	}))
}

// The bodies of calls whose Go form has plain arguments.
type (
	pathRequest struct {
		Path string `json:"path"`
	}
	pinRequest struct {
		Path   string `json:"path"`
		Pinned bool   `json:"pinned"`
	}
	logRequest struct {
		Follow bool `json:"follow,omitempty"`
	}
	tagRequest struct {
		Name string `json:"name"`
		ID   string `json:"id,omitempty"`
	}
)

// answer serves a call without a body.
func answer[T any](call func(*http.Request) (T, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, err := call(r)
		if err != nil {
			writeError(w, err)
			return
		}
		writeJSON(w, http.StatusOK, v)
	})
}

// accept serves a call with a body.
func accept[In, Out any](call func(context.Context, In) (Out, error)) http.Handler {
	return answer(func(r *http.Request) (Out, error) {
		var req In
		if err := readBody(r, &req); err != nil {
			var none Out
			return none, err
		}
		return call(r.Context(), req)
	})
}

// stream serves a call with a body and a stream of frames for an answer.
func stream[In any](call func(context.Context, In, *streamer) (any, error)) http.Handler {
	return streamRequest(func(r *http.Request, req In, out *streamer) (any, error) {
		return call(r.Context(), req, out)
	})
}

// streamRequest is stream for calls that look at the request's path.
func streamRequest[In any](call func(*http.Request, In, *streamer) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var req In
		if err := readBody(r, &req); err != nil {
			writeError(w, err)
			return
		}
		out := &streamer{w: w}
		v, err := call(r, req, out)
		out.finish(v, err)
	})
}

// readBody decodes the JSON body into v. It reads to the end, because net/http
// watches for a client that goes away only after that.
func readBody(r *http.Request, v any) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return fmt.Errorf("%w: %w", errBadRequest, err)
	}
	if len(body) == 0 {
		return nil
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("%w: %w", errBadRequest, err)
	}
	return nil
}
