package backend

import (
	"context"
	"iter"
)

// Walk gives the objects at any depth below prefix, as [Walker] says, by walking
// from list to list where the store can't give them at once. The order of such a
// walk is that of names within each directory, with a directory's objects where
// its name stands.
func Walk(ctx context.Context, s Store, prefix Key) iter.Seq2[Info, error] {
	if w, ok := s.(Walker); ok {
		return w.Walk(ctx, prefix)
	}
	return func(yield func(Info, error) bool) { walk(ctx, s, prefix, yield) }
}

// walk says whether to go on.
func walk(ctx context.Context, s Store, prefix Key, yield func(Info, error) bool) bool {
	for info, err := range s.List(ctx, prefix) {
		switch {
		case err != nil:
			yield(Info{}, err)
			return false
		case info.Dir:
			if !walk(ctx, s, info.Key, yield) {
				return false
			}
		case !yield(info, nil):
			return false
		}
	}
	return true
}
