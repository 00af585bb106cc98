package materialize

import (
	"context"
	"fmt"
	"slices"
)

// Again says whether the file of a recorded artifact is gone and can be had again
// as it was: the disk that it was made of is in the cache still, and an image is a
// function of its disk; or it is the commit, of whose objects it is computed; or it is of
// the live system, which is a function of the commit and of the disks that it installs. A disk written anew would be
// another one, as its file systems draw lots. It looks at files only where the record
// alone doesn't decide.
func (m *Maker) Again(ctx context.Context, b Build, a Artifact) bool {
	if !m.lost(b, a) {
		return false
	}
	if a.Kind == KindOSTree {
		size, err := m.Commits.ExportSize(ctx, b.Commit, exportRefs(b))
		return err == nil && size == a.Size
	}
	if !slices.Contains(m.Kinds(), a.Kind) {
		return false
	}
	req, err := m.requestOf(ctx, b, a.Kind)
	if m.isLive(a.Kind) {
		return err == nil && m.Commits.Has(ctx, b.Commit) && m.canInstall(ctx, b)
	}
	return err == nil && m.cached(req)
}

// lost says whether the file of a recorded artifact is gone, and had the form that it
// would have if it were made now.
func (m *Maker) lost(b Build, a Artifact) bool {
	return !a.Local && a.Damage == "" && a.SHA256 != "" && a.File == m.Records.FileName(a.Kind, b.Name, b.ID, b.Arch)
}

// checkAgain refuses what was made in the place of a recorded artifact and is not
// that artifact.
func checkAgain(b Build, t Target, sum string) error {
	a, ok := b.Artifacts[t.Kind]
	if !ok || a.SHA256 == sum {
		return nil
	}
	return Fail(ClassConfig, "make "+t.String()+" again", "bring the recorded file back, or "+another(t),
		fmt.Errorf("%s came out with sha256 %s, but %s is recorded: %w", a.File, sum, a.SHA256, ErrCorrupt))
}
