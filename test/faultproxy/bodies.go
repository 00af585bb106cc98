package faultproxy

import (
	"context"
	"net/http"
	"strconv"
	"time"
)

// Cut ends the connection after so many bytes of the body; the Content-Length
// stays what it was.
func Cut(after int64) Fault {
	return onBody(func(a *answer, p []byte) (int, error) {
		n := min(int64(len(p)), after-a.sent)
		if _, err := a.pass(p[:n]); err != nil {
			return 0, err
		}
		if a.sent >= after {
			a.flush()
			panic(http.ErrAbortHandler)
		}
		return len(p), nil
	})
}

// Short answers with the first bytes of the body as if they were all: the
// Content-Length says so, and the Content-Range does not.
func Short(length int64) Fault {
	shorten := onHeader(func(h http.Header) {
		if n, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64); err == nil && n > length {
			h.Set("Content-Length", strconv.FormatInt(length, 10))
		}
	})
	cut := onBody(func(a *answer, p []byte) (int, error) {
		_, err := a.pass(p[:min(int64(len(p)), max(0, length-a.sent))])
		return len(p), err
	})
	return func(next http.Handler) http.Handler { return shorten(cut(next)) }
}

// Corrupt flips a bit of the byte at an offset of the body.
func Corrupt(at int64) Fault {
	return onBody(func(a *answer, p []byte) (int, error) {
		if i := at - a.sent; i >= 0 && i < int64(len(p)) {
			p = append([]byte(nil), p...)
			p[i] ^= 0x10
		}
		return a.pass(p)
	})
}

// Drip sends so many bytes of the body at once, and waits after each.
func Drip(bytes int, every time.Duration) Fault {
	return onBody(func(a *answer, p []byte) (int, error) {
		for done := 0; done < len(p); done += bytes {
			if _, err := a.pass(p[done:min(done+bytes, len(p))]); err != nil {
				return done, err
			}
			a.flush()
			if !pause(a.ctx, every) {
				return done, a.ctx.Err()
			}
		}
		return len(p), nil
	})
}

// Bandwidth bounds the bytes a second of each answer.
func Bandwidth(perSecond int) Fault {
	const slices = 50 // a second
	return Drip(max(1, perSecond/slices), time.Second/slices)
}

// Stall sends so many bytes of the body, and then nothing more.
func Stall(after int64) Fault {
	return onBody(func(a *answer, p []byte) (int, error) {
		n := min(int64(len(p)), after-a.sent)
		if _, err := a.pass(p[:n]); err != nil {
			return 0, err
		}
		if n < int64(len(p)) {
			a.flush()
			<-a.ctx.Done()
			return int(n), a.ctx.Err()
		}
		return len(p), nil
	})
}

// An answer is a response on its way to the client.
type answer struct {
	http.ResponseWriter
	ctx    context.Context // of the one request that it answers
	header func(http.Header)
	body   func(a *answer, p []byte) (int, error)
	sent   int64 // bytes of the body that went on
	begun  bool
}

func onBody(f func(a *answer, p []byte) (int, error)) Fault {
	return fault(func(http.Header) {}, f)
}

func onHeader(f func(http.Header)) Fault { return fault(f, (*answer).pass) }

func fault(header func(http.Header), body func(*answer, []byte) (int, error)) Fault {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(&answer{ResponseWriter: w, ctx: r.Context(), header: header, body: body}, r)
		})
	}
}

func (a *answer) WriteHeader(code int) {
	if code >= http.StatusOK && !a.begun { // not 100 Continue
		a.begun = true
		a.header(a.Header())
	}
	a.ResponseWriter.WriteHeader(code)
}

func (a *answer) Write(p []byte) (int, error) {
	if !a.begun {
		a.WriteHeader(http.StatusOK)
	}
	return a.body(a, p)
}

// pass hands bytes on.
func (a *answer) pass(p []byte) (int, error) {
	n, err := a.ResponseWriter.Write(p)
	a.sent += int64(n)
	return n, err
}

// flush sends what was passed; a client that left is noticed at the next write.
func (a *answer) flush() { _ = http.NewResponseController(a.ResponseWriter).Flush() }

// Unwrap lets http.ResponseController flush.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
