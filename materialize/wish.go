package materialize

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// ErrNotAllowed means that a job would have to be started for a caller who may
// only have what exists or is being made. It is an fs.ErrPermission.
var ErrNotAllowed = Says(fs.ErrPermission, "it would have to be made first, which this caller may not start")

// A wish is what a caller's ctx says of the jobs that the call needs.
type wish struct {
	linger *time.Duration // nil: as usual
	only   bool           // only what exists or is being made
}

type wishKey struct{}

func wishOf(ctx context.Context) wish {
	w, _ := ctx.Value(wishKey{}).(wish)
	return w
}

// WithLinger gives a ctx whose jobs go on for linger when their caller leaves (0 =
// no longer, negative = for ever), whatever is usual for the build directory: a
// door whose callers come back, as HTTP clients do, knows better.
func WithLinger(ctx context.Context, linger time.Duration) context.Context {
	w := wishOf(ctx)
	w.linger = &linger
	return context.WithValue(ctx, wishKey{}, w)
}

// WithoutMaking gives a ctx that starts no job which makes something new: where
// there is none to join the call ends with [ErrNotAllowed].
func WithoutMaking(ctx context.Context) context.Context {
	w := wishOf(ctx)
	w.only = true
	return context.WithValue(ctx, wishKey{}, w)
}

// lingerOf is how long a job goes on for a caller whose ctx has ended. One that
// was a job itself has lingered already, or was not meant to.
func lingerOf(ctx context.Context, usual time.Duration) time.Duration {
	if cause := context.Cause(ctx); errors.Is(cause, ErrCancelled) || errors.Is(cause, ErrAbandoned) {
		return 0
	}
	if w := wishOf(ctx); w.linger != nil {
		return *w.linger
	}
	return usual
}

// mayStart says whether the caller may start the work.
func mayStart(ctx context.Context, w Work) error {
	if wishOf(ctx).only && !w.Moves {
		return Fail(ClassConfig, "open "+w.Target.String(), "ask somebody with the role builder to open it once", fmt.Errorf("%s: %w", w.Title, ErrNotAllowed))
	}
	return nil
}
