package workdir

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"cosafs/materialize"
)

// Status implements [vfs.Library]: what runs, what failed, and which builds
// have a problem, for .cosafs/status.
func (w library) Status() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "workdir: %s\nengine: %s\n", w.root, w.maker.Composer.Name())
	for _, j := range w.runner.Jobs() {
		fmt.Fprintln(&b, j.Line())
	}
	problems := w.tree.problems()
	for _, id := range slices.Sorted(maps.Keys(problems)) {
		fmt.Fprintf(&b, "build %s: %s\n", id, problems[id])
	}
	return b.Bytes()
}

// Jobs implements [vfs.Library].
func (w library) Jobs() []materialize.JobInfo { return w.runner.Jobs() }

// JobFile implements [vfs.Library].
func (w library) JobFile(id, name string) ([]byte, error) { return w.runner.JobFile(id, name) }
