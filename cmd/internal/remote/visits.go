package remote

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"cosafs/vfs/access"
)

// A visit is a request as log and metrics see it. What is known only later, behind
// the login, is filled in there.
type visit struct {
	r       *http.Request
	answer  *patient
	door    string
	caller  access.Caller
	started time.Time
}

type visitKey struct{}

// visitOf gives the visit of a request's ctx.
func visitOf(ctx context.Context) *visit {
	v, _ := ctx.Value(visitKey{}).(*visit)
	return v
}

// watch is around all requests: it has them get on, catches their panics, counts
// them and writes the access log.
func (s *Server) watch(m *metrics, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.requests.enter() {
			panic(http.ErrAbortHandler) // it came as the server ended
		}
		defer s.requests.leave()
		v := &visit{door: doorOf(r.URL.Path), started: time.Now()}
		ctx := context.WithValue(r.Context(), visitKey{}, v)
		r = r.WithContext(ctx)
		v.r, v.answer = r, newPatient(w, r, s.patience.stall)
		defer s.end(ctx, m, v)
		next.ServeHTTP(v.answer, r)
	})
}

// end is deferred: whether a request went well or not, it is counted and logged.
func (s *Server) end(ctx context.Context, m *metrics, v *visit) {
	cause := recover()
	abort := s.survive(v, cause)
	v.answer.finish()
	m.count(v)
	s.report(ctx, v, cause != nil)
	if abort {
		panic(http.ErrAbortHandler)
	}
}

// survive logs a panic, and answers where nothing was answered yet; else the
// answer has to be cut off, so that nobody takes it for a whole one. A handler
// that does so itself panics with http.ErrAbortHandler.
func (s *Server) survive(v *visit, cause any) (abort bool) {
	if cause == nil {
		return false
	}
	if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		return true
	}
	s.log.Error("panic", "method", v.r.Method, "path", clean(v.r.URL.Path), "err", cause, "stack", string(debug.Stack()))
	if v.answer.status != 0 {
		return true
	}
	http.Error(v.answer, "Something is broken in the server; its log says what.", http.StatusInternalServerError)
	return false
}

// report writes the access log: what goes well is for who looks for it.
func (s *Server) report(ctx context.Context, v *visit, cut bool) {
	level := slog.LevelDebug
	switch status := v.answer.status; {
	case status >= 500:
		level = slog.LevelWarn
	case refused(status), v.r.Method == http.MethodPost: // who had something built, pruned or tagged
		level = slog.LevelInfo
	}
	who := v.caller
	if who.Addr == "" {
		who.Addr = v.r.RemoteAddr
	}
	s.log.LogAttrs(ctx, level, "request", slog.String("host", clean(v.r.Host)),
		slog.String("method", clean(v.r.Method)), slog.String("path", clean(v.r.URL.Path)),
		slog.Int("status", v.answer.status), slog.Int64("bytes", v.answer.bytes), slog.Bool("cut", cut),
		slog.Duration("took", time.Since(v.started)), slog.String("caller", who.Name), slog.String("addr", who.Addr))
}

// refused says whether a status is about the caller, or about how he asked, rather
// than about what he asked for.
func refused(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusRequestEntityTooLarge,
		http.StatusMisdirectedRequest, http.StatusTooManyRequests:
		return true
	}
	return false
}

// cleanMost bounds what a client may write into the log at once, in bytes.
const cleanMost = 512

// clean quotes what a client sent where it isn't plain, so that it can't pretend
// to be another line.
func clean(text string) string {
	if len(text) > cleanMost {
		text = text[:cleanMost] + "..."
	}
	quoted := strconv.QuoteToASCII(text)
	if quoted == `"`+text+`"` {
		return text
	}
	return quoted
}
