package disk_test

import (
	"fmt"
	"slices"
	"testing"

	"cosafs/materialize"
)

// rootStart is where the root begins on a disk of the layout, in MiB: see
// [install.System.Partition].
const rootStart = 1 + 1 + 127 + 384

// equalButForRoot fails the test unless two disks of a commit have the same bytes outside
// of the root, and their fields at the same places.
func equalButForRoot(t *testing.T, one, other materialize.BaseDisk) {
	t.Helper()
	if !slices.Equal(one.Platform, other.Platform) || !slices.Equal(one.Console, other.Console) {
		t.Errorf("fields at %v %v, again at %v %v", one.Platform, one.Console, other.Platform, other.Console)
	}
	sh(t, ".", fmt.Sprintf("cmp -n %d %s %s", rootStart<<20, one.Path, other.Path))
	// The second table follows the root.
	sh(t, ".", fmt.Sprintf("tail -c 17K %s >end; tail -c 17K %s | cmp end -; rm end", one.Path, other.Path))
}
func equalRoots(t *testing.T, one, other string) {
	sh(t, ".", "cp --sparse=always "+one+" /tmp/repro_a.raw; cp --sparse=always "+other+" /tmp/repro_b.raw")
}
