package workdir

import (
	"bytes"
	"os"
	"path/filepath"
)

// reserveSize is enough for a lock, a new builds.json and what a file system
// takes for itself, in bytes.
const reserveSize = 256 << 10

func (w *Workdir) reservePath() string { return filepath.Join(w.StateDir(), "reserve") }

// keepReserve sets a little space aside, so that pruning, which has to write
// builds.json before it deletes anything, also works on a full disk. Without it
// everything else works as well.
func (w *Workdir) keepReserve() {
	if st, err := os.Stat(w.reservePath()); err == nil && st.Size() == reserveSize {
		return
	}
	// Not zeros: some file systems keep no blocks for them.
	if os.WriteFile(w.reservePath(), bytes.Repeat([]byte("cosafs: "), reserveSize/8), 0o644) != nil {
		w.freeReserve()
	}
}

// freeReserve gives the space back.
func (w *Workdir) freeReserve() { _ = os.Remove(w.reservePath()) } // it may be missing
