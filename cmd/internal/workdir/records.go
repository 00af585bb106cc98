package workdir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
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
	known    listMemo
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

// list gives builds.json, reading it if it is another than the last time. A
// missing one is an empty list, as in cosa. Callers must not change it.
func (r *records) list(ctx context.Context) (*index.Builds, error) {
	info, err := os.Stat(r.path(listFile))
	if err != nil {
		return r.readList(ctx) // it says why
	}
	if list, ok := r.known.get(info); ok {
		return list, nil
	}
	list, err := r.readList(ctx)
	if err == nil {
		r.known.put(info, list, time.Now())
	}
	return list, err
}

func (r *records) readList(ctx context.Context) (*index.Builds, error) {
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
	id, err := r.builds.Latest()
	if err == nil && materialize.NamesBuild(id) && list.Has(index.BuildID(id)) {
		return id
	}
	return r.newest(list)
}

// newest is the first build of the list whose directory is here, "" for none.
func (r *records) newest(list *index.Builds) string {
	for _, e := range entries(list) {
		if isDir(r.path(string(e.ID))) {
			return string(e.ID)
		}
	}
	return ""
}

// entries gives the builds of a list. Those whose names mean something else
// beside the builds, or are hidden there, are none: the list is data of others.
func entries(list *index.Builds) []index.Entry {
	return slices.DeleteFunc(list.Entries(), func(e index.Entry) bool { return !materialize.NamesBuild(string(e.ID)) })
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

// isDamage says whether a document can be read but not understood.
func isDamage(err error) bool {
	return errors.Is(err, index.ErrSyntax) || errors.Is(err, index.ErrSchema)
}

// Latest implements [materialize.Records]. A build whose meta.json is damaged is
// passed over: it must not be in the way of the next one.
func (r *records) Latest(ctx context.Context, arch string) (materialize.Build, error) {
	list, err := r.list(ctx)
	if err != nil {
		return materialize.Build{}, err
	}
	for _, e := range entries(list) {
		if !hasArch(list, e, arch) {
			continue
		}
		b, err := r.Build(ctx, string(e.ID), arch)
		if !isAbsent(err) && !isDamage(err) {
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
// directory is an artifact that isn't here; so is a file of another size than
// the recorded one, which must not pass for it.
func (r *records) artifact(dir string, im index.Image) materialize.Artifact {
	a := artifactOf(im)
	if _, err := im.File(); err != nil {
		return a
	}
	if st, err := os.Lstat(filepath.Join(dir, a.File)); err == nil && st.Mode().IsRegular() {
		a.Damage = wrongSize(st.Size(), im.Size)
		if a.Local = a.Damage == ""; a.Local {
			a.Size = st.Size()
		}
	}
	return a
}

// artifactOf gives what the entry itself says.
func artifactOf(im index.Image) materialize.Artifact {
	a := materialize.Artifact{
		Kind: string(im.Kind), File: filepath.Base(im.Path), Size: im.Size, SHA256: im.SHA256, SkipCompression: im.SkipCompression,
	}
	if im.UncompressedSHA256 != "" {
		a.Inside = &materialize.Content{SHA256: im.UncompressedSHA256, Size: im.UncompressedSize}
	}
	return a
}

// wrongSize says what is wrong with a file of the size got where want, -1 for
// not recorded, is right; "" for nothing.
func wrongSize(got, want int64) string {
	switch {
	case want < 0 || got == want:
		return ""
	case got < want:
		return fmt.Sprintf("is cut off, or is still being copied: it has %d of %d bytes", got, want)
	}
	return fmt.Sprintf("is not the recorded file: it has %d bytes, not %d", got, want)
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
	return r.refs(ctx, list), nil
}

// refs describes the builds of a list, newest first.
func (r *records) refs(ctx context.Context, list *index.Builds) []materialize.BuildRef {
	tags := map[string][]string{}
	for _, t := range list.Tags() {
		tags[string(t.Target)] = append(tags[string(t.Target)], t.Name)
	}
	var refs []materialize.BuildRef
	for _, e := range entries(list) {
		ref := materialize.BuildRef{ID: string(e.ID), Tags: tags[string(e.ID)], Local: isDir(r.path(string(e.ID)))}
		for _, a := range archesOf(list, e, r.arch) {
			ref.Arches = append(ref.Arches, string(a))
			if m, err := r.meta(ctx, r.path(index.Dir(list, e.ID, a))); err == nil && m.BuildTime().After(ref.Time) {
				ref.Time = m.BuildTime()
			}
		}
		refs = append(refs, ref)
	}
	return refs
}

// FileName implements [materialize.Records].
func (r *records) FileName(kind, name, id, arch string) string {
	file, ok := index.FileName(index.Kind(kind), name, index.BuildID(id), index.Arch(arch))
	if !ok {
		return ""
	}
	return file
}
