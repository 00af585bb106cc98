package faultproxy

import (
	"context"
	"net/http"
	"strings"
	"time"
)

// Gets matches requests for the bytes of objects whose path ends so.
func Gets(suffix string) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, suffix) }
}

// Latency lets each request wait before it is handed on.
func Latency(d time.Duration) Fault {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if pause(r.Context(), d) {
				next.ServeHTTP(w, r)
			}
		})
	}
}

// Status answers with a status instead of handing the request on, as S3 words it.
func Status(code int) Fault {
	names := map[int]string{403: "AccessDenied", 500: "InternalError", 503: "SlowDown", 404: "NoSuchKey"}
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(code)
			_, _ = w.Write([]byte("<Error><Code>" + names[code] + "</Code><Message>planned</Message></Error>")) // the client may have left
		})
	}
}

// Hang never answers; it hands nothing on. The connection stays until the client
// or the test ends it.
func Hang() Fault {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	}
}

// Lost hands the request on and cuts the connection instead of answering: the
// server has done what it was asked, and the client doesn't know.
func Lost() Fault {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(nowhere{}, r)
			panic(http.ErrAbortHandler)
		})
	}
}

// nowhere is the writer of an answer that nobody gets.
type nowhere struct{}

func (nowhere) Header() http.Header         { return http.Header{} }
func (nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (nowhere) WriteHeader(int)             {}

// ETag answers with another ETag than the object has; of what is behind it,
// nothing changes.
func ETag(tag string) Fault {
	return onHeader(func(h http.Header) {
		if h.Get("ETag") != "" {
			h.Set("ETag", `"`+tag+`"`)
		}
	})
}

// pause waits, and says whether ctx is still there.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
