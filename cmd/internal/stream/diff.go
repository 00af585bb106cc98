package stream

import (
	"context"
	"fmt"
	"strings"

	"cosafs/index"
	"cosafs/materialize"
	"cosafs/vfs/webui"
)

// Diff implements [webui.Keeper]. The documents of the two builds are read through
// the cache.
func (s *Stream) Diff(ctx context.Context, req webui.DiffRequest) (webui.Diff, error) {
	a, err := s.Side(ctx, req.A, req.Arch)
	if err != nil {
		return webui.Diff{}, err
	}
	b, err := s.Side(ctx, req.B, req.Arch)
	if err != nil {
		return webui.Diff{}, err
	}
	return Compare(ctx, a, b), nil
}

// Compare says what changed from a to b, which may be of different streams.
func Compare(ctx context.Context, a, b Side) webui.Diff {
	d := webui.Diff{
		A: foundOf(a.rec), B: foundOf(b.rec), Packages: []webui.PackageChange{}, Meta: []webui.ValueChange{},
		Artifacts: diffArtifacts(a.s.artifacts(a.rec, anyItem), b.s.artifacts(b.rec, anyItem)),
	}
	for _, v := range index.DiffMeta(a.meta, b.meta) {
		d.Meta = append(d.Meta, webui.ValueChange{Key: v.Key, Old: v.Old, New: v.New})
	}
	diffPackages(ctx, a, b, &d)
	return d
}

func anyItem(item) bool { return true }

// A Side is one of two builds that are compared.
type Side struct {
	s    *Stream
	rec  record
	meta *index.Meta
}

// Side reads what is known of a build; id may be "latest", arch "" is this
// machine's. A build that no store has is fs.ErrNotExist.
func (s *Stream) Side(ctx context.Context, id, arch string) (Side, error) {
	if arch == "" {
		arch = s.cfg.Arch
	}
	id, err := s.resolveID(id)
	if err != nil {
		return Side{}, err
	}
	rec, err := s.find(id, arch)
	if err != nil {
		return Side{}, s.explainBuild(id, arch, err)
	}
	data, err := s.readAll(ctx, rec, metaFile)
	if err != nil {
		return Side{}, err
	}
	meta, err := index.ParseMeta(data)
	return Side{s: s, rec: rec, meta: meta}, err
}

// diffPackages compares the packages, or says why it can't.
func diffPackages(ctx context.Context, a, b Side, d *webui.Diff) {
	old, err := a.s.packages(ctx, a.rec)
	if err == nil {
		var now []index.Package
		if now, err = b.s.packages(ctx, b.rec); err == nil {
			for _, p := range index.DiffPackages(old, now) {
				d.Packages = append(d.Packages, webui.PackageChange{Name: p.Name, Old: p.Old, New: p.New})
			}
			return
		}
	}
	d.Unknown = materialize.OneLine(err.Error())
}

// packages gives a build's packages: from the catalog, else from commitmeta.json.
func (s *Stream) packages(ctx context.Context, rec record) ([]index.Package, error) {
	list, err := s.catalog.Packages(ctx, rec.src.name, rec.ID, rec.Name)
	if err == nil || !isAbsent(err) {
		return list, err
	}
	data, err := s.readAll(ctx, rec, "commitmeta.json")
	if err != nil {
		return nil, err
	}
	doc, err := index.ParseCommitMeta(data)
	if err != nil {
		return nil, err
	}
	return doc.Packages(), nil
}

// readAll reads a document of a build through the cache.
func (s *Stream) readAll(ctx context.Context, rec record, name string) ([]byte, error) {
	it, err := s.resolve(rec.ID, rec.arch, name)
	if err != nil {
		return nil, err
	}
	b, err := s.open(ctx, it)
	if err != nil {
		return nil, err
	}
	defer b.Close() //nolint:errcheck // nothing was written
	if b.Size() > maxDocument {
		return nil, fmt.Errorf("%s: %d bytes are too many for a document", pathOf(it.Entry), b.Size())
	}
	data := make([]byte, b.Size())
	if n, err := b.ReadAt(ctx, data, 0); n < len(data) {
		return nil, err
	}
	return data, nil
}

// diffArtifacts compares artifacts by kind; both lists are in that order.
func diffArtifacts(old, now []materialize.Artifact) []webui.ArtifactChange {
	changes := []webui.ArtifactChange{}
	for len(old) > 0 || len(now) > 0 {
		switch {
		case len(now) == 0 || len(old) > 0 && old[0].Kind < now[0].Kind:
			changes = append(changes, webui.ArtifactChange{Kind: old[0].Kind, Old: &old[0]})
			old = old[1:]
		case len(old) == 0 || now[0].Kind < old[0].Kind:
			changes = append(changes, webui.ArtifactChange{Kind: now[0].Kind, New: &now[0]})
			now = now[1:]
		default:
			if !strings.EqualFold(old[0].SHA256, now[0].SHA256) {
				changes = append(changes, webui.ArtifactChange{Kind: now[0].Kind, Old: &old[0], New: &now[0]})
			}
			old, now = old[1:], now[1:]
		}
	}
	return changes
}
