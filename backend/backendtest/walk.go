package backendtest

import (
	"context"
	"fmt"
	"slices"

	"cosafs/backend"
)

// walked gives the keys of a walk.
func (b bench) walked(prefix backend.Key) []backend.Key {
	b.Helper()
	var got []backend.Key
	for info, err := range backend.Walk(b.Context(), b.Store, prefix) {
		if err != nil {
			b.Fatalf("Walk %q: %v", prefix, err)
		}
		if info.Dir || info.Size != int64(len(info.Key)) {
			b.Errorf("walked past %+v; want a file of %d bytes", info, len(info.Key))
		}
		got = append(got, info.Key)
	}
	return got
}

func testWalk(b bench) {
	for _, key := range sorting {
		b.seed(key, []byte(key))
	}
	for prefix, want := range map[backend.Key][]backend.Key{
		"":        {"B", "a b", "a.b", "a.d/e", "a/x", "a/y/z", "a0", "ab/c", "b", "c"},
		"a":       {"a/x", "a/y/z"},
		"a/y":     {"a/y/z"},
		"nothing": nil,
		"b":       nil,
	} {
		got := b.walked(prefix)
		if !b.h.Walks {
			slices.Sort(got)
		}
		if !slices.Equal(got, want) {
			b.Errorf("Walk %q = %q; want %q", prefix, got, want)
		}
	}
}

func testWalkStops(b bench) {
	for i := range 10 {
		b.seed(backend.Key(fmt.Sprintf("d%d/f%d", i/3, i)), nil)
	}
	walk := backend.Walk(b.Context(), b.Store, "")
	for range 2 { // an iterator may be used again
		n := 0
		for info, err := range walk {
			if want := backend.Key(fmt.Sprintf("d%d/f%d", n/3, n)); err != nil || info.Key != want {
				b.Fatalf("walked past %q, %v; want %q", info.Key, err, want)
			}
			if n++; n == 5 {
				break
			}
		}
		if n != 5 {
			b.Errorf("a walk of 10 gave %d before the fifth", n)
		}
	}
}

func testWalkCancelled(b bench) {
	for i := range 10 {
		b.seed(backend.Key(fmt.Sprintf("d%d/f%d", i/3, i)), nil)
	}
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	given, last := 0, error(nil)
	for _, err := range backend.Walk(ctx, b.Store, "") {
		if last != nil {
			b.Error("the walk goes on after an error")
		}
		if last = err; err == nil {
			given++
			cancel()
		}
	}
	if given != 1 {
		b.Errorf("%d objects; want one, ctx having ended after it", given)
	}
	b.wantErr("Walk", last, context.Canceled)
}
