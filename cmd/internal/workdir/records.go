package workdir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"cosafs/backend"
	"cosafs/backend/dirstore"
	"cosafs/index"
	"cosafs/materialize"
)

// records is [materialize.Records] over the documents of builds/: index reads
// and writes them, dirstore locks and replaces them.
type records struct {
	root     string // <workdir>/builds
	arch     string // of this machine; a legacy list's builds are taken to be of it
	store    *dirstore.Store
	builds   *dirstore.Builds
	journal  journal
	onChange func() // told after every change; never nil after assembly
	now      func() time.Time
}

var _ materialize.Records = (*records)(nil)

const listFile = "builds.json"

func newRecords(workdir string, cfg Config) (*records, error) {
	root := filepath.Join(workdir, "builds")
	store, err := dirstore.Open(dirstore.Config{Dir: root, LockWait: cfg.Lock})
	if err != nil {
		return nil, err
	}
	return &records{
		root: root, arch: cfg.Arch, store: store, builds: store.Builds(), now: time.Now, onChange: func() {},
		journal: journal{dir: filepath.Join(workdir, "cache", "cosafs", "publishing")},
	}, nil
}

func (r *records) path(rel string) string { return filepath.Join(r.root, filepath.FromSlash(rel)) }

// list reads builds.json. A missing one is an empty list, as in cosa.
func (r *records) list(ctx context.Context) (*index.Builds, error) {
	var list *index.Builds
	err := r.builds.ReadJSON(ctx, listFile, func(b []byte) (err error) {
		list, err = index.ParseBuilds(b)
		return err
	})
	if isAbsent(err) {
		return index.NewBuilds(), nil
	}
	if err != nil {
		return nil, materialize.Fail(materialize.ClassConfig, "read "+r.path(listFile),
			"restore builds.json from a backup, or move it away and run: cosafs init --force", err)
	}
	return list, nil
}

// latest is the target of the link latest, or what it should be.
func (r *records) latest(list *index.Builds) string {
	if id, err := r.builds.Latest(); err == nil && list.Has(index.BuildID(id)) {
		return id
	}
	return string(list.Latest())
}

// meta reads the meta.json of a build's directory.
func (r *records) meta(ctx context.Context, dir string) (*index.Meta, error) {
	var meta *index.Meta
	rel, err := filepath.Rel(r.root, filepath.Join(dir, "meta.json"))
	if err != nil {
		return nil, err
	}
	err = r.builds.ReadJSON(ctx, backend.Key(filepath.ToSlash(rel)), func(b []byte) (err error) {
		meta, err = index.ParseMeta(b)
		return err
	})
	return meta, err
}

// Latest implements [materialize.Records].
func (r *records) Latest(ctx context.Context, arch string) (materialize.Build, error) {
	list, err := r.list(ctx)
	if err != nil {
		return materialize.Build{}, err
	}
	for _, e := range list.Entries() {
		if !hasArch(list, e, arch) {
			continue
		}
		b, err := r.Build(ctx, string(e.ID), arch)
		if !isAbsent(err) {
			return b, err
		}
	}
	return materialize.Build{}, fmt.Errorf("a build for %s: %w", arch, fs.ErrNotExist)
}

func hasArch(list *index.Builds, e index.Entry, arch string) bool {
	for _, a := range archesOf(list, e, arch) {
		if string(a) == arch {
			return true
		}
	}
	return false
}

// dirOf gives a build's directory below builds/.
func (r *records) dirOf(ctx context.Context, id, arch string) string {
	if id == "" {
		return ""
	}
	list, err := r.list(ctx)
	if err != nil || arch == "" {
		return filepath.Join(id, arch)
	}
	return index.Dir(list, index.BuildID(id), index.Arch(arch))
}

// Build implements [materialize.Records].
func (r *records) Build(ctx context.Context, id, arch string) (materialize.Build, error) {
	if !index.ValidName(id) || !index.ValidName(arch) {
		return materialize.Build{}, fmt.Errorf("build %q for %q: %w", id, arch, fs.ErrNotExist)
	}
	dir := r.path(r.dirOf(ctx, id, arch))
	meta, err := r.meta(ctx, dir)
	if err != nil {
		return materialize.Build{}, fmt.Errorf("build %s for %s: %w", id, arch, err)
	}
	b := buildOf(id, arch, dir, meta, r.packages(dir))
	for _, im := range meta.Images() {
		b.Artifacts[string(im.Kind)] = r.artifact(dir, im)
	}
	return b, nil
}

// artifact describes an image entry. A path that leads out of the build's
// directory is an artifact that isn't here.
func (r *records) artifact(dir string, im index.Image) materialize.Artifact {
	a := materialize.Artifact{Kind: string(im.Kind), Size: im.Size, SHA256: im.SHA256, SkipCompression: im.SkipCompression}
	name, err := im.File()
	if err != nil {
		a.File = filepath.Base(im.Path)
		return a
	}
	a.File = name
	if st, err := os.Lstat(filepath.Join(dir, name)); err == nil && st.Mode().IsRegular() {
		a.Local = true
		a.Size = st.Size()
	}
	return a
}

// packages reads commitmeta.json; nil where it is missing or says nothing.
func (r *records) packages(dir string) []materialize.Package {
	b, err := os.ReadFile(filepath.Join(dir, "commitmeta.json"))
	if err != nil {
		return nil
	}
	cm, err := index.ParseCommitMeta(b)
	if err != nil {
		return nil
	}
	var out []materialize.Package
	for _, p := range cm.Packages() {
		out = append(out, materialize.Package{Name: p.Name, Epoch: p.Epoch, Version: p.Version, Release: p.Release, Arch: p.Arch})
	}
	return out
}

// List implements [materialize.Records].
func (r *records) List(ctx context.Context) ([]materialize.BuildRef, error) {
	list, err := r.list(ctx)
	if err != nil {
		return nil, err
	}
	tags := map[string][]string{}
	for _, t := range list.Tags() {
		tags[string(t.Target)] = append(tags[string(t.Target)], t.Name)
	}
	var refs []materialize.BuildRef
	for _, e := range list.Entries() {
		ref := materialize.BuildRef{ID: string(e.ID), Tags: tags[string(e.ID)]}
		for _, a := range archesOf(list, e, r.arch) {
			ref.Arches = append(ref.Arches, string(a))
			if b, err := r.Build(ctx, ref.ID, string(a)); err == nil && b.Time.After(ref.Time) {
				ref.Time = b.Time
			}
		}
		ref.Local = isDir(r.path(ref.ID))
		refs = append(refs, ref)
	}
	return refs, nil
}

// FileName implements [materialize.Records].
func (r *records) FileName(kind, name, id, arch string) string {
	file, ok := index.FileName(index.Kind(kind), name, index.BuildID(id), index.Arch(arch))
	if !ok {
		return ""
	}
	return file
}

// Add implements [materialize.Records]. The journal makes the three steps one:
// after a crash between them, [records.recover] does the rest.
func (r *records) Add(ctx context.Context, n materialize.NewBuild) error {
	meta, err := newMeta(n)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(n.Staging, "meta.json"), meta.Bytes(), 0o644); err != nil {
		return err
	}
	done, err := r.journal.begin(n.ID, n.Arch)
	if err != nil {
		return err
	}
	if err := r.builds.Publish(ctx, n.Staging, backend.Key(n.ID+"/"+n.Arch)); err != nil {
		return errors.Join(err, done())
	}
	if err := r.enlist(ctx, n.ID, n.Arch); err != nil {
		return err
	}
	defer r.onChange()
	return done()
}

// enlist puts a published build into builds.json and points latest at the
// newest.
func (r *records) enlist(ctx context.Context, id, arch string) error {
	err := r.update(ctx, func(list *index.Builds) error {
		list.Bump(r.now())
		return list.Insert(index.BuildID(id), index.Arch(arch))
	})
	if err != nil {
		return err
	}
	return r.pointLatest(ctx)
}

// pointLatest makes latest name the first entry of builds.json; cosa's readers
// disagree on which of the two they ask (cosa.md 1.2).
func (r *records) pointLatest(ctx context.Context) error {
	list, err := r.list(ctx)
	if err != nil {
		return err
	}
	if list.Latest() == "" {
		return removeIfThere(r.path("latest"))
	}
	return r.builds.SetLatest(ctx, string(list.Latest()))
}

// update changes builds.json under its lock.
func (r *records) update(ctx context.Context, change func(*index.Builds) error) error {
	return r.builds.UpdateJSON(ctx, listFile, func(old []byte) ([]byte, error) {
		list := index.NewBuilds()
		if len(old) > 0 {
			var err error
			if list, err = index.ParseBuilds(old); err != nil {
				return nil, err
			}
		}
		if err := change(list); err != nil {
			return nil, err
		}
		return list.Bytes(), nil
	})
}

// AddArtifact implements [materialize.Records]: the file first, then meta.json.
func (r *records) AddArtifact(ctx context.Context, id, arch string, a materialize.Artifact, file string) error {
	dir := backend.Key(filepath.ToSlash(r.dirOf(ctx, id, arch)))
	if err := r.builds.AddFile(ctx, file, dir+backend.Key("/"+a.File)); err != nil {
		return err
	}
	defer r.onChange()
	return r.builds.UpdateJSON(ctx, dir+"/meta.json", func(old []byte) ([]byte, error) {
		m, err := index.ParseMeta(old)
		if err != nil {
			return nil, err
		}
		if im, ok := m.Image(index.Kind(a.Kind)); ok && im.SHA256 != a.SHA256 {
			return nil, fmt.Errorf("%s is recorded already, with other bytes: %w", a.Kind, fs.ErrExist)
		}
		if err := m.SetImage(index.Kind(a.Kind), imageOf(a)); err != nil {
			return nil, err
		}
		m.SetStamp(r.now().UnixNano())
		return m.Bytes(), m.Validate()
	})
}
