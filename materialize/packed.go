package materialize

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// keepPacked is how many files in another compression than the recorded one stay
// in the cache after a new one came.
const keepPacked = 4

// packedRecord is the record in the directory of such a file, beside the file.
const packedRecord = "packed.json"

// A packedFile is that record.
type packedFile struct {
	File string `json:"file"` // base name
	Content
}

// Packed gives what is known of a file in another compression (see [PackedKind])
// that is in the cache. It reads the record only.
func (m *Maker) Packed(b Build, kind string) (Content, bool) {
	p, err := readPacked(m.packedDir(b, kind))
	return p.Content, err == nil
}

// packedKey tells such a file from others. An artifact that is not recorded follows
// from its build, as its job's key does.
func (m *Maker) packedKey(b Build, kind string) string {
	plain, format := SplitKind(kind)
	if a, ok := b.Artifacts[plain]; ok {
		return hashKey("packed", a.SHA256, a.File, format)
	}
	return hashKey("packed", m.artifactKey(b, plain), format)
}

func (m *Maker) packedDir(b Build, kind string) string {
	return filepath.Join(m.StateDir, "packed", m.packedKey(b, kind))
}

// PackedName is the name that the file of a kind such as metal.xz has.
func (m *Maker) PackedName(b Build, kind string) string {
	plain, format := SplitKind(kind)
	name := m.Records.FileName(plain, b.Name, b.ID, b.Arch)
	if a, ok := b.Artifacts[plain]; ok {
		name = a.File
		if a.Packed() {
			name, _, _ = CutFormat(name)
		}
	}
	if format == Plain {
		return name
	}
	return name + "." + format
}

// readPacked reads the record of a cached file. One that is damaged, or not that of
// the file beside it, is as good as none: fs.ErrNotExist.
func readPacked(dir string) (packedFile, error) {
	var p packedFile
	b, err := os.ReadFile(filepath.Join(dir, packedRecord))
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(b, &p); err != nil || !filepath.IsLocal(p.File) {
		return p, fmt.Errorf("record of a compressed file: %w: %w", err, fs.ErrNotExist)
	}
	st, err := os.Stat(filepath.Join(dir, p.File))
	if err == nil && st.Size() != p.Size {
		err = fmt.Errorf("%s has another size than was recorded: %w", p.File, fs.ErrNotExist)
	}
	return p, err
}

// makePacked makes the file of a kind such as metal.xz exist, below the state
// directory unless it is the recorded one.
func (m *Maker) makePacked(ctx context.Context, t Target) (Result, error) {
	b, err := m.Records.Build(ctx, t.Build, t.Arch)
	if err != nil {
		return Result{}, err
	}
	plain := t
	plain.Kind, _ = SplitKind(t.Kind)
	if a, ok := b.Artifacts[plain.Kind]; ok && a.File == m.PackedName(b, t.Kind) {
		r, _, err := m.stored(ctx, plain)
		return r, err
	}
	if err := m.packable(t); err != nil {
		return Result{}, err
	}
	return m.Runner.Do(ctx, m.packedWork(b, t, plain), m.Linger)
}

// packable refuses what can't be made here. To uncompress what is recorded takes
// nothing but the cache.
func (m *Maker) packable(t Target) error {
	if _, format := SplitKind(t.Kind); format != Plain {
		return m.Frozen
	}
	return nil
}

// packedWork compresses an artifact, or uncompresses one, into the cache. Which
// bytes it is of is known for sure once they exist: the directory is named then.
func (m *Maker) packedWork(b Build, t, plain Target) Work {
	_, format := SplitKind(t.Kind)
	return Work{
		Key: m.packedKey(b, t.Kind), Target: t, Title: t.Kind, Space: diskSpace, Moves: format == Plain,
		Done: func(ctx context.Context) (Result, bool, error) {
			now, err := m.Records.Build(ctx, b.ID, b.Arch)
			if err != nil {
				return Result{}, false, err
			}
			dir := m.packedDir(now, t.Kind)
			p, err := readPacked(dir)
			if err != nil {
				return Result{}, false, ifPresent(err)
			}
			touch(filepath.Join(dir, packedRecord)) // it was used
			return Result{Build: b.ID, Path: filepath.Join(dir, p.File), Size: p.Size}, true, nil
		},
		Run: func(ctx context.Context, task *Task) (Result, error) { return m.runPacked(ctx, b, t, plain, task) },
	}
}

func (m *Maker) runPacked(ctx context.Context, b Build, t, plain Target, task *Task) (Result, error) {
	dir := filepath.Join(task.Scratch, "packed")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Result{}, err
	}
	p := packedFile{File: m.PackedName(b, t.Kind)}
	out := filepath.Join(dir, p.File)
	var err error
	if _, format := SplitKind(t.Kind); format == Plain {
		p.Content, err = m.unpackRecorded(ctx, b, plain, out, task)
	} else {
		p.Content, err = m.packArtifact(ctx, b, plain, format, out, task)
	}
	if err != nil {
		return Result{}, err
	}
	now, err := m.Records.Build(ctx, b.ID, b.Arch) // with what was made on the way
	if err != nil {
		return Result{}, err
	}
	to := m.packedDir(now, t.Kind)
	if err := keepPackedFile(dir, to, p); err != nil {
		return Result{}, fmt.Errorf("keep %s: %w", p.File, err)
	}
	m.clearPacked(to)
	return Result{Build: b.ID, Path: filepath.Join(to, p.File), Size: p.Size}, nil
}

// unpackRecorded uncompresses the recorded file.
func (m *Maker) unpackRecorded(ctx context.Context, b Build, t Target, out string, task *Task) (Content, error) {
	a, ok := b.Artifacts[t.Kind]
	switch {
	case !ok || !a.Packed():
		return Content{}, fmt.Errorf("%s: %w", t, ErrNotMakeable)
	case !a.Local:
		return Content{}, lostFailure(t, a)
	}
	_, format, _ := CutFormat(a.File)
	task.Phase("decompress", 0)
	got, err := unpackFile(ctx, m.Packer, filepath.Join(b.Dir, a.File), format, out, a.Inside.Size, task)
	if err == nil {
		err = got.is(*a.Inside)
	}
	if errors.Is(err, ErrCorrupt) {
		err = Fail(ClassConfig, "decompress "+a.File, "bring the recorded file back, or make a new build: cosafs build --force", err)
	}
	return got, err
}

// packArtifact compresses an artifact, which is made if need be.
func (m *Maker) packArtifact(ctx context.Context, b Build, t Target, format, out string, task *Task) (Content, error) {
	if b.Artifacts[t.Kind].Packed() { // in another format than is wanted
		t.Kind = PackedKind(t.Kind, Plain)
	}
	r, view, err := m.Open(followAs(ctx, t.Kind, task.Part(0, 0.5)), t)
	if err != nil {
		return Content{}, err
	}
	in, err := contentOf(r, view)
	if err != nil {
		return Content{}, err
	}
	defer func() { _ = in.Close() }() // read only
	task.Phase("compress", 0.5)
	name, _, _ := CutFormat(filepath.Base(out))
	_, packed, err := packFile(ctx, m.Packer, io.NewSectionReader(in, 0, r.Size), r.Size, out,
		PackOptions{Format: format, Name: name, Task: task.Part(0.5, 1)})
	return packed, err
}

// contentOf gives the bytes of what [Maker.Open] gave.
func contentOf(r Result, view View) (interface {
	io.ReaderAt
	io.Closer
}, error,
) {
	if view != nil {
		return view, nil
	}
	return os.Open(r.Path)
}

// keepPackedFile moves a finished file into the cache. The record is written first:
// a directory with a record is complete.
func keepPackedFile(from, to string, p packedFile) error {
	file := filepath.Join(from, p.File)
	err := errors.Join(syncFile(file), os.Chmod(file, 0o444), writeJSON(filepath.Join(from, packedRecord), p))
	if err != nil {
		return err
	}
	return moveDir(from, to)
}

// clearPacked deletes the files that were not used for longest, beyond keepPacked
// and but for the one just made. Who reads one reads on.
func (m *Maker) clearPacked(just string) {
	records, err := filepath.Glob(filepath.Join(m.StateDir, "packed", "*", packedRecord))
	if err != nil || len(records) <= keepPacked {
		return
	}
	slices.SortFunc(records, func(a, b string) int { return -modTime(a).Compare(modTime(b)) })
	for _, record := range records[keepPacked:] {
		if dir := filepath.Dir(record); dir != just {
			_ = os.Remove(record) // first: without it the file counts as absent
			_ = os.RemoveAll(dir) // the next clearing tries again
		}
	}
}
