package webui

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"cosafs/materialize"
)

// maxBody bounds a request's body in bytes; the largest is a list of build ids.
const maxBody = 1 << 20

// answer serves a call without a body.
func answer[T any](call func(*http.Request) (T, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, err := call(r)
		reply(w, v, err)
	})
}

// accept serves a call with a body.
func accept[In, Out any](call func(context.Context, In) (Out, error)) http.Handler {
	return withBody(func(w http.ResponseWriter, r *http.Request, req In) {
		v, err := call(r.Context(), req)
		reply(w, v, err)
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
	return withBody(func(w http.ResponseWriter, r *http.Request, req In) {
		out := &streamer{w: w}
		v, err := call(r, req, out)
		out.finish(v, err)
	})
}

// withBody reads the body for serve, and answers what can't be read.
func withBody[In any](serve func(http.ResponseWriter, *http.Request, In)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var req In
		if err := readBody(w, r, &req); err != nil {
			writeError(w, err)
			return
		}
		serve(w, r, req)
	})
}

// reply ends a call that does not stream.
func reply[T any](w http.ResponseWriter, v T, err error) {
	if err != nil {
		writeError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, v)
}

// orEmpty has a list without elements be [] in JSON, rather than null.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// readBody decodes the JSON body into v; none leaves v as it is. It reads to the
// end, because net/http watches for a client that goes away only after that.
func readBody(w http.ResponseWriter, r *http.Request, v any) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if tooLong, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return materialize.Fail(materialize.ClassConfig, r.Method+" "+r.URL.Path, "ask for less at once",
			fmt.Errorf("%w: it has more than %d bytes", errTooLarge, tooLong.Limit))
	}
	if err != nil {
		return fmt.Errorf("%w: read the body: %w", errBadRequest, err)
	}
	if len(body) == 0 {
		return nil
	}
	if err := json.Unmarshal(body, v); err != nil {
		return materialize.Fail(materialize.ClassConfig, r.Method+" "+r.URL.Path, "see how it is asked for: GET /v1/openapi.json",
			fmt.Errorf("%w: the body is not what it takes: %w", errBadRequest, err))
	}
	return nil
}
