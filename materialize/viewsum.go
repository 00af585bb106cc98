package materialize

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A viewSum is the record of a view's sha256. It lies in the directory of the base
// disk and goes with it: the same disk written anew may have other bytes.
type viewSum struct {
	Content
	Kind    string `json:"kind"`
	Build   string `json:"build"`
	Arch    string `json:"arch"`
	Version string `json:"version"` // of the program; see [Maker.Version]

	path string // of the record
}

// sumSuffix follows the kind in the record's name.
const sumSuffix = ".sum.json"

func (m *Maker) sumPath(base, kind string) string {
	return filepath.Join(m.baseDir(base), kind+sumSuffix)
}

// readSum gives the record of a view of the cached base disk with that key, or none,
// without a sha256. It doesn't fit a view of another size.
func (m *Maker) readSum(base, kind string) viewSum { return m.readSumFile(m.sumPath(base, kind)) }

// readSumFile gives none for what can't be read, or what another version of the program
// made.
func (m *Maker) readSumFile(path string) viewSum {
	data, err := os.ReadFile(path)
	if err != nil {
		return viewSum{}
	}
	s, ok := parseSum(data)
	if !ok || s.Version != m.Version {
		return viewSum{}
	}
	s.path = path
	return s
}

// parseSum reads a record; ok is false for what is none.
func parseSum(data []byte) (s viewSum, ok bool) {
	if json.Unmarshal(data, &s) != nil {
		return viewSum{}, false
	}
	raw, err := hex.DecodeString(s.SHA256)
	return s, err == nil && len(raw) == sha256.Size
}

// startSum has the sha256 of an open view computed in the background, unless it is
// known.
func (m *Maker) startSum(ctx context.Context, b Build, req DiskRequest, kind string, size int64) {
	base := m.baseKey(req)
	if m.readSum(base, kind).Size == size {
		return
	}
	m.sums.add(ctx, sumWork{key: hashKey(base, kind), do: func(ctx context.Context) {
		if err := m.sumView(ctx, b, req, kind); err != nil && ctx.Err() == nil {
			m.Runner.cfg.Log.Warn("computing the sha256 of a view", "build", b.ID, "kind", kind, "err", err)
		}
	}})
}

// sumView computes and records the sha256 of a view, whose base disk it holds. It
// leaves that to another process that is at it; a disk that is gone is no error.
func (m *Maker) sumView(ctx context.Context, b Build, req DiskRequest, kind string) (err error) {
	v, err := m.viewOf(b, req, kind)
	if err != nil {
		return ifPresent(err)
	}
	defer func() { _ = v.Close() }() // read only
	path := m.sumPath(m.baseKey(req), kind)
	lock, err := tryLock(strings.TrimSuffix(path, sumSuffix) + ".sum.lock")
	switch {
	case errors.Is(err, errLocked):
		return nil
	case err != nil:
		return err
	}
	defer func() { err = errors.Join(err, lock.remove()) }()
	if m.readSum(m.baseKey(req), kind).Size == v.Size() {
		return nil // somebody else was faster
	}
	c, err := hashView(ctx, v)
	if err != nil {
		return err
	}
	return keepJSON(path, viewSum{Content: c, Kind: kind, Build: b.ID, Arch: b.Arch, Version: m.Version})
}

// hashView gives a view's sha256 and size. Holes are hashed as zeros without being read.
func hashView(ctx context.Context, v View) (Content, error) {
	sum, buf, zeros := newMeter(nil), make([]byte, sumBuffer), make([]byte, sumBuffer)
	for sum.n < v.Size() {
		data, ok := v.Data(sum.n)
		if !ok {
			data = Extent{Offset: v.Size()}
		}
		if err := copyZeros(ctx, sum, data.Offset-sum.n, zeros); err != nil {
			return Content{}, err
		}
		if err := copySection(ctx, sum, v, data.Offset, data.Length, buf); err != nil {
			return Content{}, err
		}
	}
	return sum.content(), nil
}

// checkSum refuses a file with other bytes than its view was found to have: one of the
// two was read wrong.
func checkSum(t Target, view viewSum, got Content) error {
	if view.SHA256 == "" || view.Size != got.Size || view.SHA256 == got.SHA256 {
		return nil
	}
	return Fail(ClassConfig, "make "+t.String(), "the cached disk may be damaged: delete "+filepath.Dir(view.path)+" and try again",
		fmt.Errorf("it came out with sha256 %s, but had %s when it was read as a view: %w", got.SHA256, view.SHA256, ErrCorrupt))
}

// SummedViews gives the views of a build whose sha256 is known, in the order of their
// kinds. It reads records only: of a build that has none that is free.
func (m *Maker) SummedViews(ctx context.Context, b Build) []Artifact {
	records, err := filepath.Glob(filepath.Join(m.StateDir, "base", "*", "*"+sumSuffix))
	if err != nil {
		return nil // of a StateDir whose name is no pattern
	}
	var list []Artifact
	for _, path := range records {
		s := m.readSumFile(path)
		if s.Build != b.ID || s.Arch != b.Arch {
			continue
		}
		// The disk may be one that another configuration of this program wrote.
		if st, ok := m.StatView(ctx, b, s.Kind); ok && st.SHA256 == s.SHA256 {
			list = append(list, Artifact{
				Kind: s.Kind, File: m.Records.FileName(s.Kind, b.Name, b.ID, b.Arch), Size: st.Size, SHA256: st.SHA256, State: StateView,
			})
		}
	}
	slices.SortFunc(list, func(a, b Artifact) int { return strings.Compare(a.Kind, b.Kind) })
	return slices.Compact(list)
}

// Close ends what is done in the background and waits for it, or until ctx ends. Views
// can be opened afterwards; their sha256 is not computed any more.
func (m *Maker) Close(ctx context.Context) error { return m.sums.close(ctx) }
