package materialize

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
)

// built is what the state directory remembers: these inputs gave this build.
type built struct {
	Build string            `json:"build"`
	Parts map[string]string `json:"parts"` // for cosafs why
}

func (m *Maker) builtPath(in InputState) string {
	return filepath.Join(m.StateDir, "built", in.Key+".json")
}

// remember writes down which build the inputs gave. Losing it costs a compose
// that finds nothing changed, so errors are only told. Inputs that changed while
// they were composed gave nothing: nobody knows which of both the engine read.
func (b *building) remember(ctx context.Context, id string) {
	now, err := b.InputsNow(ctx)
	if err == nil && now.Key != b.in.Key {
		err = errors.New("the configuration was changed while it was composed")
	}
	path := b.builtPath(b.in)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o755)
	}
	if err == nil {
		err = writeJSON(path, built{Build: id, Parts: b.in.Parts})
	}
	if err != nil {
		b.task.Logf("not remembering the build's inputs: %v", err)
	}
	b.forgetOld()
}

// keepBuilt is how many inputs are remembered: only the newest build's matter,
// but a configuration may be switched back and forth.
const keepBuilt = 100

// forgetOld deletes what is remembered beyond keepBuilt. What can't be deleted
// now is tried again next time.
func (m *Maker) forgetOld() {
	names := m.builtNames()
	for _, name := range names[min(keepBuilt, len(names)):] {
		_ = os.Remove(name)
	}
}

// builtNames lists the files of what is remembered, newest first.
func (m *Maker) builtNames() []string {
	names, err := filepath.Glob(filepath.Join(m.StateDir, "built", "*.json"))
	if err != nil {
		return nil // the pattern is bad: some directory's name is odd
	}
	slices.SortFunc(names, func(a, b string) int { return -modTime(a).Compare(modTime(b)) })
	return names
}

// builtFrom finds the build that these inputs gave, if it is still the newest:
// next/ is what the configuration gives now, compared with the latest build.
func (m *Maker) builtFrom(ctx context.Context, in InputState) (Build, bool) {
	c, err := os.ReadFile(m.builtPath(in))
	if err != nil {
		return Build{}, false
	}
	var r built
	if json.Unmarshal(c, &r) != nil {
		return Build{}, false
	}
	latest, err := m.Records.Latest(ctx, m.Arch)
	if err != nil || latest.ID != r.Build {
		return Build{}, false
	}
	return latest, true
}
