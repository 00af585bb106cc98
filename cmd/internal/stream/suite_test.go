package stream_test

import (
	"slices"
	"testing"

	"cosafs/vfs/vfstest"
)

// A stored access is the tree without .cosafs, which no store has.
type stored struct{ vfstest.Access }

func (s stored) List(path string) ([]string, error) {
	names, err := s.Access.List(path)
	return slices.DeleteFunc(names, func(n string) bool { return n == ".cosafs" }), err
}

// TestSuite runs what of the doors' suite holds for any directory: nothing of a
// store is made when it is opened.
func TestSuite(t *testing.T) {
	vfstest.Run(t, func(t *testing.T, f vfstest.Fixture) *vfstest.Harness {
		t.Helper()
		w := newWorld(t)
		for _, it := range f.Items {
			if it.Buildable {
				continue
			}
			data, err := it.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			w.put(it.Path, data)
		}
		tr := open(t, w.Store)
		tr.sync()
		return &vfstest.Harness{
			Access: stored{vfstest.InProcess(t.Context, tr.fs)}, Fixture: f,
			Caps: []vfstest.Cap{vfstest.Xattrs, vfstest.ReadOnly},
		}
	})
}
