// Package vfstest is the suite that every way to the tree passes: in process,
// through a mount, and, where no laziness is asked for, a plain directory, which
// tests the suite itself.
//
// Trees are data (a [Fixture]), so that a child process can serve them: a
// process must not use a mount of its own.
package vfstest

import (
	_ "embed" // the default fixture
	"slices"
	"testing"
)

// A Cap is something that not every way to the tree can do.
type Cap string

// The caps.
const (
	// Lazy: there is a library behind, whose items come to exist when opened.
	Lazy Cap = "lazy"
	// Xattrs: files tell their state as extended attributes.
	Xattrs Cap = "xattrs"
	// ReadOnly: nothing can be changed through it.
	ReadOnly Cap = "read-only"
)

// A Harness is one way to a tree of the suite's fixture.
type Harness struct {
	Access  Access
	Fixture Fixture
	Caps    []Cap
	Control Control // nil without Lazy

	T *testing.T // of the running case; set by Run
}

// A Case is one thing that holds for every way to the tree.
type Case struct {
	Name  string
	Needs []Cap
	Run   func(h *Harness)
}

//go:embed default.txtar
var defaultFixture []byte

// Default is the fixture that the cases run on.
func Default(tb testing.TB) Fixture {
	tb.Helper()
	f, err := Parse(defaultFixture)
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

// Run runs every case, each on a fresh tree of the fixture that setup is given.
// A case is skipped only where the harness does not claim a cap that it needs;
// that claims are true is a case itself.
func Run(t *testing.T, setup func(t *testing.T, f Fixture) *Harness) {
	t.Helper()
	for _, c := range Cases() {
		t.Run(c.Name, func(t *testing.T) {
			h := setup(t, Default(t))
			for _, need := range c.Needs {
				if !h.has(need) {
					t.Skipf("cap %s is not claimed", need)
				}
			}
			h.T = t
			c.Run(h)
		})
	}
}

// Cases lists the suite, in the order it runs.
func Cases() []Case {
	return slices.Concat(plainCases(), lazyCases(), changeCases())
}

func (h *Harness) has(c Cap) bool { return slices.Contains(h.Caps, c) }

// Do sends a command.
func (h *Harness) Do(t *testing.T, c Command) Reply {
	t.Helper()
	r, err := h.Control.Do(c)
	if err != nil {
		t.Fatalf("%s: %v", c.Op, err)
	}
	return r
}

// Counters gives the library's counters.
func (h *Harness) Counters(t *testing.T) Counters {
	t.Helper()
	return h.Do(t, Command{Op: "counters"}).Counters
}

// Want gives the bytes that the file at path has to have.
func (h *Harness) Want(t *testing.T, path string) []byte {
	t.Helper()
	it, ok := h.Fixture.Item(path)
	if !ok {
		t.Fatalf("no item %s in the fixture", path)
	}
	b, err := it.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return b
}
