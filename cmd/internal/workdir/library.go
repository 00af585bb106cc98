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

	"cosafs/index"
	"cosafs/materialize"
	"cosafs/vfs"
)

// library is a working directory as doors see it. It is a type of its own
// because doors and commands ask for the same things in different forms.
type library struct{ *Workdir }

var _ vfs.Library = library{}

// Library gives the tree's facts and bytes for doors.
func (w *Workdir) Library() vfs.Library { return library{w} }

// Snapshot implements [vfs.Library].
func (w library) Snapshot() *vfs.Snapshot { return w.tree.snapshot() }

// Changed implements [vfs.Library].
func (w library) Changed() <-chan struct{} { return w.tree.changed() }

// Watch looks every second for what other processes changed in builds/, until
// ctx ends. The daemon runs it; jobs of this process need no watching.
func (w *Workdir) Watch(ctx context.Context) {
	w.tree.watch(ctx, time.Second, func(err error) { w.cfg.Logger.Warn("look at builds", "err", err) })
}

// Resolve implements [vfs.Library].
func (w library) Resolve(ctx context.Context, build, arch, name string) (vfs.Entry, error) {
	if build == materialize.Next {
		return w.resolveNext(ctx, arch, name)
	}
	b, err := w.records.Build(ctx, build, arch)
	if err != nil {
		return vfs.Entry{}, err
	}
	kind, ok := w.kindNamed(b, name)
	if !ok {
		return vfs.Entry{}, fmt.Errorf("%s/%s/%s: %w", build, arch, name, fs.ErrNotExist)
	}
	return w.artifactEntry(ctx, b, kind)
}

// comes are the states of an artifact that isn't recorded and can be opened, or
// could be but for a failure.
var comes = []materialize.State{
	materialize.StateView, materialize.StateCached, materialize.StateBuildable, materialize.StateBuilding, materialize.StateFailed,
}

// artifactEntry describes an artifact of a recorded build as it is now, or its
// bytes in another compression.
func (w *Workdir) artifactEntry(ctx context.Context, b materialize.Build, kind string) (vfs.Entry, error) {
	p, err := w.maker.Plan(ctx, materialize.Target{Build: b.ID, Arch: b.Arch, Kind: kind})
	if err != nil {
		return vfs.Entry{}, err
	}
	plain, format := materialize.SplitKind(kind)
	a, recorded := b.Artifacts[plain]
	if !recorded && !slices.Contains(comes, p.State) {
		return vfs.Entry{}, fmt.Errorf("%s: %w", p.Target, fs.ErrNotExist)
	}
	e := vfs.Entry{
		Build: b.ID, Arch: b.Arch, Kind: kind, ModTime: b.Time,
		Name: w.records.FileName(plain, b.Name, b.ID, b.Arch), State: p.State, Reason: p.Reason, Source: sourceOf(p),
	}
	switch {
	case format != "":
		e.Name = w.maker.PackedName(b, kind)
	case recorded:
		e.Name = a.File
	}
	w.describe(ctx, &e, b, kind)
	return e, nil
}

// describe adds to an entry what is known of its bytes, which are those of the kind.
func (w *Workdir) describe(ctx context.Context, e *vfs.Entry, b materialize.Build, kind string) {
	plain, format := materialize.SplitKind(kind)
	a, recorded := b.Artifacts[plain]
	e.Size, e.Version = -1, w.tree.contents.of(b.ID, b.Arch, a)
	switch {
	case format == "" && recorded:
		e.Size, e.SHA256 = a.Size, a.SHA256
	case format == "":
		if st, ok := w.maker.StatView(ctx, b, kind); ok {
			e.Size, e.Blocks, e.SHA256, e.Stamp = st.Size, st.Blocks, st.SHA256, st.Stamp
		}
	case format == materialize.Plain && a.Inside != nil:
		e.Size, e.SHA256 = a.Inside.Size, a.Inside.SHA256
		if a.Local && e.Source == "" {
			e.Source = sourceWorkdir
		}
	default:
		if c, ok := w.maker.Packed(b, kind); ok {
			e.Size, e.SHA256 = c.Size, c.SHA256
		}
	}
}

// sourceWorkdir is the source of what lies in builds/.
const sourceWorkdir = "workdir"

// sourceOf tells where the bytes come from, or the reason why there are none.
func sourceOf(p materialize.Plan) string {
	switch {
	case p.State == materialize.StateLocal:
		return sourceWorkdir
	case p.Job != "":
		return "job:" + p.Job
	}
	return ""
}

// resolveNext describes a file of next/. A configuration that can't be read
// still gives an entry, whose open fails with the reason.
func (w *Workdir) resolveNext(ctx context.Context, arch, name string) (vfs.Entry, error) {
	kind, ok := kindOfNext(name)
	if !ok || arch != w.cfg.Arch || !w.canMake(kind) {
		return vfs.Entry{}, fmt.Errorf("next/%s/%s: %w", arch, name, fs.ErrNotExist)
	}
	e := vfs.Entry{Build: materialize.Next, Arch: arch, Name: name, Kind: kind, Size: -1, ModTime: w.started}
	p, err := w.maker.Plan(ctx, w.target(e))
	if err != nil {
		e.State, e.Reason, e.Inputs = materialize.StateFailed, err.Error(), "unreadable: "+err.Error()
		return e, nil
	}
	e.State, e.Reason, e.Inputs, e.Source = p.State, p.Reason, p.Inputs, sourceOf(p)
	if slices.Contains([]materialize.State{materialize.StateLocal, materialize.StateView, materialize.StateCached}, p.State) {
		w.fillLocal(ctx, &e, p.Target.Kind)
	}
	return e, nil
}

// fillLocal gives an entry of next/ whose bytes are here, as those of the kind, their
// size and digest.
func (w *Workdir) fillLocal(ctx context.Context, e *vfs.Entry, kind string) {
	b, err := w.records.Latest(ctx, e.Arch)
	if err != nil {
		return // pruned a moment ago; the next look shows it
	}
	e.ModTime = b.Time
	w.describe(ctx, e, b, kind)
}

// canMake says whether this machine makes the kind, whatever its compression.
func (w *Workdir) canMake(kind string) bool {
	kind, _ = materialize.SplitKind(kind)
	return kind == materialize.KindOSTree || slices.Contains(w.maker.Kinds(), kind)
}

func (w *Workdir) target(e vfs.Entry) materialize.Target {
	return materialize.Target{Build: e.Build, Arch: e.Arch, Kind: e.Kind}
}

// Refresh implements [vfs.Library].
func (w library) Refresh(ctx context.Context, e vfs.Entry) (vfs.Entry, error) {
	if e.State == materialize.StateLocal && e.Build != materialize.Next {
		return w.stat(ctx, e)
	}
	now, err := w.Resolve(ctx, e.Build, e.Arch, e.Name)
	if err != nil {
		return e, err
	}
	if now.Version != e.Version {
		return e, replacedError(e)
	}
	if now.Inputs != e.Inputs {
		return e, fmt.Errorf("next/%s/%s: the configuration changed: %w", e.Arch, e.Name, vfs.ErrStale)
	}
	return now, nil
}

// stat gives a file of the build directory as it is now: metadata files are
// replaced while builds go on. Of an artifact that has another size by now, or is
// gone, meta.json says what is right.
func (w library) stat(ctx context.Context, e vfs.Entry) (vfs.Entry, error) {
	st, err := os.Lstat(w.file(ctx, e))
	if err != nil && (e.Kind == "" || !isAbsent(err)) {
		return e, err
	}
	if err != nil || e.Kind != "" && st.Size() != e.Size {
		return w.Resolve(ctx, e.Build, e.Arch, e.Name)
	}
	if e.Kind == "" {
		e.Size, e.ModTime = st.Size(), st.ModTime()
	}
	return e, nil
}

// file is where a listed file lies on this machine.
func (w library) file(ctx context.Context, e vfs.Entry) string {
	return filepath.Join(w.records.root, w.records.dirOf(ctx, e.Build, e.Arch), e.Name)
}

// Buildable implements [vfs.Library].
func (w library) Buildable(ctx context.Context, build, arch string) []vfs.Entry {
	var entries []vfs.Entry
	for _, kind := range append([]string{materialize.KindOSTree}, w.maker.Kinds()...) {
		e, err := w.Resolve(ctx, build, arch, index.ShortName(index.Kind(kind)))
		if err == nil && e.State != materialize.StateLocal {
			entries = append(entries, e)
		}
	}
	return entries
}

// Progress implements [vfs.Library].
func (w library) Progress(e vfs.Entry) (float64, bool) {
	return w.maker.Progress(w.ctx, w.target(e))
}

// Open implements [vfs.Library].
func (w library) Open(ctx context.Context, e vfs.Entry) (vfs.Blob, error) {
	if e.Kind == "" || (e.State == materialize.StateLocal && e.Build != materialize.Next) {
		b, err := w.openFile(ctx, w.file(ctx, e), e.Build, e)
		return w.hold(e.Build, b, err)
	}
	if err := w.stillNext(ctx, e); err != nil {
		return nil, err
	}
	r, view, err := w.maker.Open(ctx, w.target(e))
	if err != nil {
		return nil, err
	}
	if view != nil {
		return w.hold(r.Build, viewBlob{view}, nil)
	}
	e.Size = r.Size
	b, err := w.openFile(ctx, r.Path, r.Build, e)
	return w.hold(r.Build, b, err)
}

// viewBlob is a file that is computed as it is read.
type viewBlob struct{ materialize.View }

// ReadAt implements [vfs.Blob]. A local read is not worth interrupting.
func (b viewBlob) ReadAt(_ context.Context, p []byte, off int64) (int, error) {
	return b.View.ReadAt(p, off)
}

// Data implements [vfs.Sparse].
func (b viewBlob) Data(off int64) (start, end int64, ok bool) {
	e, ok := b.View.Data(off)
	return e.Offset, e.Offset + e.Length, ok
}

var _ vfs.Filed = viewBlob{}

// stillNext gives vfs.ErrStale for a file of next/ whose inputs changed since:
// other bytes must not come under its inode. The configuration's own error, if
// it can't be read, tells more.
func (w library) stillNext(ctx context.Context, e vfs.Entry) error {
	if e.Build != materialize.Next {
		return nil
	}
	in, err := w.maker.InputsNow(ctx)
	if err == nil && in.Key != e.Inputs {
		err = fmt.Errorf("next/%s/%s: the configuration changed: %w", e.Arch, e.Name, vfs.ErrStale)
	}
	return err
}

// fileBlob is a complete file of the build directory.
type fileBlob struct {
	f    *os.File
	size int64
}

// openBlob opens the file of e. An artifact must have the size that e says.
func openBlob(path string, e vfs.Entry) (vfs.Blob, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if why := wrongSize(st.Size(), e.Size); e.Kind != "" && why != "" {
		return nil, errors.Join(fmt.Errorf("%s %s: %w", e.Name, why, materialize.ErrCorrupt), f.Close())
	}
	return &fileBlob{f: f, size: st.Size()}, nil
}

// ReadAt implements [vfs.Blob]. A local read is not worth interrupting.
func (b *fileBlob) ReadAt(_ context.Context, p []byte, off int64) (int, error) {
	return b.f.ReadAt(p, off)
}

// Size implements [vfs.Blob].
func (b *fileBlob) Size() int64 { return b.size }

// LocalFile implements [vfs.Blob].
func (b *fileBlob) LocalFile() (*os.File, bool) { return b.f, true }

// Close implements [vfs.Blob].
func (b *fileBlob) Close() error { return b.f.Close() }
