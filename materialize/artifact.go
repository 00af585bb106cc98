package materialize

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// KindOSTree is the kind of the commit itself, which every build has.
const KindOSTree = "ostree"

// imageJSONPath is where a commit keeps the image configuration it was composed
// with (cosa since 2022-06).
const imageJSONPath = "/usr/share/coreos-assembler/image.json"

// diskSpace is the least that writing a disk image needs, in bytes. The disk
// writer looks closer once it knows the commit's size.
const diskSpace = 512 << 20

// makeArtifact makes one artifact of a recorded build.
func (m *Maker) makeArtifact(ctx context.Context, t Target) (Result, error) {
	if r, ok, err := m.stored(ctx, t); ok || err != nil {
		return r, err
	}
	if err := m.makeable(t); err != nil {
		return Result{}, err
	}
	b, err := m.Records.Build(ctx, t.Build, t.Arch)
	if err != nil {
		return Result{}, err
	}
	return m.Runner.Do(ctx, m.artifactWork(b, t), m.Linger)
}

// stored looks for the target's bytes in the build directory. A recorded file
// that is gone is an error, not an absence: a rebuilt image is not the recorded one.
func (m *Maker) stored(ctx context.Context, t Target) (Result, bool, error) {
	b, err := m.Records.Build(ctx, t.Build, t.Arch)
	if err != nil {
		return Result{}, false, err
	}
	a, ok := b.Artifacts[t.Kind]
	switch {
	case !ok:
		return Result{}, false, nil
	case !a.Local:
		return Result{}, false, goneFailure(t, a)
	}
	path := filepath.Join(b.Dir, a.File)
	st, err := os.Stat(path)
	if err != nil {
		return Result{}, false, err
	}
	return Result{Build: b.ID, Path: path, Size: st.Size()}, true, nil
}

func goneFailure(t Target, a Artifact) error {
	err := fmt.Errorf("%s is recorded in meta.json, but the file is not here, and an image built again would not be the recorded one: %w",
		a.File, os.ErrNotExist)
	return Fail(ClassConfig, "open "+t.String(),
		"bring the file back, or make a new build: cosafs build --force", err)
}

// artifactWork makes the artifact from the base disk and records it.
func (m *Maker) artifactWork(b Build, t Target) Work {
	return Work{
		Key:    m.artifactKey(b, t.Kind),
		Target: t,
		Title:  t.Kind,
		Space:  diskSpace,
		Done:   func(ctx context.Context) (Result, bool, error) { return m.stored(ctx, t) },
		Run:    func(ctx context.Context, task *Task) (Result, error) { return m.runArtifact(ctx, b, t, task) },
	}
}

func (m *Maker) artifactKey(b Build, kind string) string {
	return hashKey("artifact", b.ID, b.Arch, b.Commit, kind, m.Disks.Tool())
}

func (m *Maker) runArtifact(ctx context.Context, b Build, t Target, task *Task) (Result, error) {
	image, err := m.imageOf(ctx, b, task)
	if err != nil {
		return Result{}, err
	}
	base, release, err := m.baseDisk(ctx, m.diskRequest(b.Commit, b.Ref, b.Name, b.ID, b.Arch, image), t, task.Part(0, 0.9))
	if err != nil {
		return Result{}, err
	}
	defer release()
	task.Phase("write "+t.Kind, 0.9)
	out := filepath.Join(task.Scratch, m.Records.FileName(t.Kind, b.Name, b.ID, b.Arch))
	if err := m.Disks.Make(ctx, base, t.Kind, image, out, task); err != nil {
		return Result{}, err
	}
	return m.recordArtifact(ctx, b, t, out, task)
}

// recordArtifact publishes the finished file: its digest, the file, meta.json.
func (m *Maker) recordArtifact(ctx context.Context, b Build, t Target, file string, task *Task) (Result, error) {
	task.Phase("sha256", 0.96)
	sum, size, err := hashFile(ctx, file)
	if err != nil {
		return Result{}, err
	}
	a := Artifact{Kind: t.Kind, File: filepath.Base(file), Size: size, SHA256: sum}
	if err := m.Records.AddArtifact(ctx, b.ID, b.Arch, a, file); err != nil {
		return Result{}, fmt.Errorf("record %s: %w", a.File, err)
	}
	task.Phase("done", 1)
	return Result{Build: b.ID, Path: filepath.Join(b.Dir, a.File), Size: size}, nil
}

// imageOf gives the image configuration that the build was composed with. The
// commit carries it; a commit of an older cosa does not, and takes today's.
func (m *Maker) imageOf(ctx context.Context, b Build, task *Task) ([]byte, error) {
	if err := m.haveCommit(ctx, b, task); err != nil {
		return nil, err
	}
	image, err := m.Commits.Cat(ctx, b.Commit, imageJSONPath)
	switch {
	case err == nil && json.Valid(image):
		return image, nil
	case err == nil:
		return nil, Fail(ClassConfig, "read image.json of "+b.ID, "the commit is damaged: make a new build", errors.New("not JSON"))
	case isAbsent(err):
		return m.Disks.RenderImage(ctx)
	}
	return nil, err
}

// haveCommit brings the commit into the repository if it only lies in the
// build's ostree artifact.
func (m *Maker) haveCommit(ctx context.Context, b Build, task *Task) error {
	if m.Commits.Has(ctx, b.Commit) {
		return nil
	}
	a, ok := b.Artifacts[KindOSTree]
	if !ok || !a.Local {
		return Fail(ClassConfig, "find commit "+b.Commit,
			"bring the build's ostree artifact back, or make a new build: cosafs build --force",
			fmt.Errorf("neither the repository nor %s has it: %w", b.Dir, os.ErrNotExist))
	}
	task.Phase("import commit", 0)
	return m.Commits.Import(ctx, filepath.Join(b.Dir, a.File), b.Commit, task)
}

func (m *Maker) diskRequest(commit, ref, name, build, arch string, image []byte) DiskRequest {
	return DiskRequest{
		Repo: m.Commits.Repo(), Commit: commit, Ref: ref, OS: name,
		Build: build, Arch: arch, ImageJSON: image, Sector: 512,
	}
}
