package materialize

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// CompressOptions say how a recorded artifact is compressed.
type CompressOptions struct {
	// Compressor is gzip, xz, zstd or zip; "" is what image.yaml says of the kind
	// (platform-compressor), else of all (compressor).
	Compressor string
	// Fast takes the least effort, with gzip unless Compressor says otherwise.
	Fast bool
}

// Compress puts the compressed file of a recorded artifact in the place of the
// file, as cosa compress does: its digest becomes uncompressed-sha256. What is read is
// compared with the record, what was written is read again and compared; the file
// of before goes last. One that is compressed already, by cosa or by nature, stays.
func (m *Maker) Compress(ctx context.Context, t Target, o CompressOptions) (Result, error) {
	return m.repack(ctx, t, "compress", Artifact.Packed, func(ctx context.Context, b Build, a Artifact, task *Task) (Result, error) {
		return m.runCompress(ctx, b, a, o, task)
	})
}

// Decompress undoes [Maker.Compress]. The digests of both files have to be the
// recorded ones; cosa only complains.
func (m *Maker) Decompress(ctx context.Context, t Target) (Result, error) {
	plain := func(a Artifact) bool { return !a.Packed() }
	return m.repack(ctx, t, "decompress", plain, m.runDecompress)
}

// repack replaces an artifact's file by run in a job of its own, unless done says
// that nothing has to be done.
func (m *Maker) repack(ctx context.Context, t Target, title string, done func(Artifact) bool,
	run func(context.Context, Build, Artifact, *Task) (Result, error),
) (Result, error) {
	b, a, err := m.recordedHere(ctx, t)
	if err != nil {
		return Result{}, err
	}
	w := Work{
		Key: hashKey(title, b.ID, b.Arch, a.Kind, a.SHA256), Target: t, Title: title, Space: min(a.Size, diskSpace),
		Done: func(ctx context.Context) (Result, bool, error) {
			b, a, err := m.recordedHere(ctx, t)
			return Result{Build: b.ID, Path: filepath.Join(b.Dir, a.File), Size: a.Size}, err == nil && (a.SkipCompression || done(a)), err
		},
		Run: func(ctx context.Context, task *Task) (Result, error) {
			r, err := run(ctx, b, a, task)
			if _, known := errors.AsType[*Failure](err); errors.Is(err, ErrCorrupt) && !known {
				err = Fail(ClassConfig, title+" "+a.File, "bring the recorded file back, or make a new build: cosafs build --force", err)
			}
			return r, err
		},
	}
	if err := m.Runner.Retry(w.Key); err != nil { // who asks for it wants another try
		return Result{}, err
	}
	return m.Runner.Do(ctx, w, m.Linger)
}

// recordedHere finds a recorded artifact whose file is here.
func (m *Maker) recordedHere(ctx context.Context, t Target) (Build, Artifact, error) {
	if m.Frozen != nil {
		return Build{}, Artifact{}, m.Frozen
	}
	b, err := m.Records.Build(ctx, t.Build, t.Arch)
	if err != nil {
		return b, Artifact{}, err
	}
	a, ok := b.Artifacts[t.Kind]
	switch {
	case !ok:
		return b, a, Fail(ClassConfig, "find "+t.String(), "make it first: cosafs extend "+t.Kind, Says(fs.ErrNotExist, "meta.json doesn't record it"))
	case !a.Local:
		return b, a, lostFailure(t, a)
	}
	return b, a, nil
}

func (m *Maker) runCompress(ctx context.Context, b Build, a Artifact, o CompressOptions, task *Task) (Result, error) {
	name, err := m.compressorOf(ctx, b, a.Kind, o, task)
	if err != nil {
		return Result{}, err
	}
	pack := PackOptions{Format: formats()[name], Name: a.File, Task: task.Part(0, 0.8)}
	if o.Fast {
		pack.Level = 1
	}
	task.Phase("compress", 0)
	f, err := os.Open(filepath.Join(b.Dir, a.File))
	if err != nil {
		return Result{}, err
	}
	defer func() { _ = f.Close() }() // read only
	now := a
	now.File += "." + pack.Format
	out := filepath.Join(task.Scratch, now.File)
	plain, packed, err := packFile(ctx, m.Packer, f, a.Size, out, pack)
	if err == nil {
		err = plain.is(Content{a.SHA256, a.Size})
	}
	if err != nil {
		return Result{}, err
	}
	if err := m.checkPacked(ctx, out, pack.Format, plain, task.Part(0.8, 0.95)); err != nil {
		return Result{}, err
	}
	now.SHA256, now.Size, now.Inside = packed.SHA256, packed.Size, &plain
	return m.replace(ctx, b, a, now, out, task)
}

// checkPacked reads a compressed file again: it has to hold what was compressed.
func (m *Maker) checkPacked(ctx context.Context, out, format string, plain Content, task *Task) error {
	task.Phase("check", 0)
	got, err := unpackFile(ctx, m.Packer, out, format, "", plain.Size, task)
	if err != nil {
		return fmt.Errorf("read what was compressed: %w", err)
	}
	if err := got.is(plain); err != nil {
		return Fail(ClassInternal, "check "+filepath.Base(out), "try again, with another --compressor if it fails again", err)
	}
	return nil
}

func (m *Maker) runDecompress(ctx context.Context, b Build, a Artifact, task *Task) (Result, error) {
	path := filepath.Join(b.Dir, a.File)
	plain, format, _ := CutFormat(a.File)
	out := filepath.Join(task.Scratch, plain)
	task.Phase("sha256", 0)
	sum, size, err := hashFile(ctx, path)
	if err == nil {
		err = Content{sum, size}.is(Content{a.SHA256, a.Size})
	}
	if err != nil {
		return Result{}, err
	}
	task.Phase("decompress", 0.1)
	got, err := unpackFile(ctx, m.Packer, path, format, out, a.Inside.Size, task.Part(0.1, 0.95))
	if err == nil {
		err = got.is(*a.Inside)
	}
	if err != nil {
		return Result{}, err
	}
	now := a
	now.File, now.SHA256, now.Size, now.Inside = plain, got.SHA256, got.Size, nil
	return m.replace(ctx, b, a, now, out, task)
}

func (m *Maker) replace(ctx context.Context, b Build, old, now Artifact, file string, task *Task) (Result, error) {
	task.Phase("record", 0.95)
	if err := m.Records.ReplaceArtifact(ctx, b.ID, b.Arch, old, now, file); err != nil {
		return Result{}, fmt.Errorf("record %s: %w", now.File, err)
	}
	task.Phase("done", 1)
	return Result{Build: b.ID, Path: filepath.Join(b.Dir, now.File), Size: now.Size}, nil
}

// compressorOf gives the compressor for a kind. The build's image.json is asked
// only where the options don't say: its commit has it.
func (m *Maker) compressorOf(ctx context.Context, b Build, kind string, o CompressOptions, task *Task) (string, error) {
	if o.Compressor == "" && o.Fast {
		return "gzip", nil
	}
	if o.Compressor != "" {
		return o.Compressor, checkCompressor(o.Compressor)
	}
	const hint = "name one: --compressor gzip"
	if err := m.haveCommit(ctx, b, task); err != nil {
		return "", Fail(ClassConfig, "read image.json of "+b.ID, hint, err)
	}
	image, err := m.imageOf(ctx, b)
	if err != nil {
		return "", err
	}
	var said struct {
		All  string            `json:"compressor"`
		Kind map[string]string `json:"platform-compressor"`
	}
	if err := json.Unmarshal(image.image, &said); err != nil {
		return "", Fail(ClassConfig, "read image.json of "+b.ID, hint, err)
	}
	for _, name := range []string{said.Kind[kind], said.All} {
		if name != "" {
			return name, checkCompressor(name)
		}
	}
	return "gzip", nil
}

func checkCompressor(name string) error {
	if _, ok := formats()[name]; ok {
		return nil
	}
	return Fail(ClassConfig, "compress with "+name, "compressors are gzip, xz, zstd and zip", Says(fs.ErrInvalid, "there is no such compressor"))
}
