package backendtest

import (
	"context"
	"fmt"
	"slices"

	"cosafs/backend"
)

// names lists what is below prefix, directories with a slash behind.
func (b bench) names(prefix backend.Key) []string {
	b.Helper()
	var got []string
	for info, err := range b.List(b.Context(), prefix) {
		if err != nil {
			b.Fatalf("List %q: %v", prefix, err)
		}
		name := string(info.Key)
		if info.Dir {
			name += "/"
		}
		got = append(got, name)
	}
	return got
}

// sorting are keys whose order is not that of names: "a.b" and "a b" sort around "a/".
var sorting = []backend.Key{"b", "a/x", "a/y/z", "a.b", "a b", "a0", "B", "ab/c", "c", "a.d/e"}

func testListLevel(b bench) {
	for _, key := range sorting {
		b.seed(key, []byte(key))
	}
	for _, c := range []struct {
		prefix backend.Key
		want   []string
	}{
		{"", []string{"B", "a/", "a b", "a.b", "a.d/", "a0", "ab/", "b", "c"}},
		{"a", []string{"a/x", "a/y/"}},
		{"a/y", []string{"a/y/z"}},
	} {
		if got := b.names(c.prefix); !slices.Equal(got, c.want) {
			b.Errorf("List %q = %q; want %q", c.prefix, got, c.want)
		}
	}
	for info, err := range b.List(b.Context(), "a") {
		if err != nil || !info.Dir && info.Size != int64(len(info.Key)) {
			b.Errorf("listed %+v, %v; want %d bytes", info, err, len(info.Key))
		}
	}
}

func testListStops(b bench) {
	for i := range 10 {
		b.seed(backend.Key(fmt.Sprintf("f%d", i)), nil)
	}
	list := b.List(b.Context(), "")
	for range 2 { // an iterator may be used again
		n := 0
		for _, err := range list {
			if err != nil {
				b.Fatal(err)
			}
			if n++; n == 3 {
				break
			}
		}
		if n != 3 {
			b.Errorf("a list of 10 gave %d before the third", n)
		}
	}
}

func testListNothing(b bench) {
	b.seed("dir/file", nil)
	for _, prefix := range []backend.Key{"nothing", "di", "dir/file", "dir/file/below"} {
		if got := b.names(prefix); len(got) != 0 {
			b.Errorf("List %q = %q; want nothing", prefix, got)
		}
	}
}

func testListCancelled(b bench) {
	for i := range 10 {
		b.seed(backend.Key(fmt.Sprintf("f%d", i)), nil)
	}
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	given, last := 0, error(nil)
	for _, err := range b.List(ctx, "") {
		if last != nil {
			b.Error("the list goes on after an error")
		}
		if last = err; err == nil {
			given++
			cancel()
		}
	}
	if given != 1 {
		b.Errorf("%d entries; want one, ctx having ended after it", given)
	}
	b.wantErr("List", last, context.Canceled)
}
