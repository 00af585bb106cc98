package materialize

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// KindOSTree is the kind of the commit itself, which every build has.
const KindOSTree = "ostree"

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
	if m.isLive(t.Kind) {
		return m.makeLive(ctx, b, t)
	}
	return m.Runner.Do(ctx, m.artifactWork(b, t), m.Linger)
}

// stored looks for the target's bytes in the build directory. A recorded file
// that is gone is an error, not an absence, unless it can be made again as it was:
// a rebuilt image is not the recorded one.
func (m *Maker) stored(ctx context.Context, t Target) (Result, bool, error) {
	b, err := m.Records.Build(ctx, t.Build, t.Arch)
	if err != nil {
		return Result{}, false, err
	}
	a, ok := b.Artifacts[t.Kind]
	switch {
	case !ok:
		return Result{}, false, nil
	case m.Again(ctx, b, a):
		return Result{}, false, nil
	case !a.Local:
		return Result{}, false, lostFailure(t, a)
	}
	path := filepath.Join(b.Dir, a.File)
	st, err := os.Stat(path)
	if err != nil {
		return Result{}, false, err
	}
	return Result{Build: b.ID, Path: path, Size: st.Size()}, true, nil
}

// lostFailure says why a recorded artifact can't be served: its file is damaged
// or gone.
func lostFailure(t Target, a Artifact) error {
	if a.Damage != "" {
		return Fail(ClassConfig, "open "+t.String(), "copy the file again, or "+another(t),
			fmt.Errorf("%s %s: %w", a.File, a.Damage, ErrCorrupt))
	}
	err := fmt.Errorf("%s is recorded in meta.json, but the file is not here, and an image built again would not be the recorded one: %w",
		a.File, ErrGone)
	return Fail(ClassConfig, "open "+t.String(), "bring the file back, or "+another(t), err)
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
	if t.Kind == KindOSTree {
		return m.runExport(ctx, b, task)
	}
	a, out, err := m.makeFile(ctx, b, t, task)
	if err == nil {
		err = checkAgain(b, t, a.SHA256)
	}
	if err != nil {
		return Result{}, err
	}
	return m.recordArtifact(ctx, b, a, out, task)
}

// runExport records the commit as the build's ostree artifact.
func (m *Maker) runExport(ctx context.Context, b Build, task *Task) (Result, error) {
	if _, err := m.Commits.ExportSize(ctx, b.Commit, exportRefs(b)); err != nil {
		if err := m.haveCommit(ctx, b, task.Part(0, 0.2)); err != nil {
			return Result{}, err
		}
	}
	out := filepath.Join(task.Scratch, m.Records.FileName(KindOSTree, b.Name, b.ID, b.Arch))
	a, err := m.exportCommit(ctx, b, out, task.Part(0.2, 0.95))
	if err == nil {
		err = checkAgain(b, Target{Build: b.ID, Arch: b.Arch, Kind: KindOSTree}, a.SHA256)
	}
	if err != nil {
		return Result{}, err
	}
	return m.recordArtifact(ctx, b, a, out, task)
}

// makeFile writes the file of a kind into the job's scratch and says what it is.
func (m *Maker) makeFile(ctx context.Context, b Build, t Target, task *Task) (a Artifact, out string, err error) {
	if err := m.haveSource(ctx, b, t.Kind, task.Part(0, 0.2)); err != nil {
		return a, "", err
	}
	out = filepath.Join(task.Scratch, m.Records.FileName(t.Kind, b.Name, b.ID, b.Arch))
	view, err := m.writeImage(ctx, b, t, out, task)
	if err != nil {
		return a, "", err
	}
	task.Phase("sha256", 0.96)
	sum, size, err := hashFile(ctx, out)
	if err != nil {
		return a, "", err
	}
	a = Artifact{Kind: t.Kind, File: filepath.Base(out), Size: size, SHA256: sum}
	if err := checkSum(t, view, Content{sum, size}); err != nil {
		return a, "", err
	}
	if c, ok, err := inside(ctx, out); err != nil {
		return a, "", err
	} else if ok {
		a.Inside = &c
	}
	return a, out, nil
}

// writeImage writes a disk image from the base disk, which is written if need be, and
// gives what is known of the view of the same disk.
func (m *Maker) writeImage(ctx context.Context, b Build, t Target, out string, task *Task) (viewSum, error) {
	req, err := m.requestOf(ctx, b, t.Kind)
	if err != nil {
		return viewSum{}, err
	}
	base, release, err := m.baseDisk(ctx, req, t, task.Part(0, 0.9))
	if err != nil {
		return viewSum{}, err
	}
	defer release()
	task.Phase("write "+t.Kind, 0.9)
	if err := m.Disks.Make(ctx, m.imageRequest(b, t.Kind, req, base), out, task.Part(0.9, 0.96)); err != nil {
		return viewSum{}, err
	}
	return m.readSum(m.baseKey(req), t.Kind), nil
}

// imageRequest asks for the kind's file of the base disk that was written for disk.
func (m *Maker) imageRequest(b Build, kind string, disk DiskRequest, base BaseDisk) ImageRequest {
	made := b.CommitTime
	if made.IsZero() {
		made = b.Time // cosa did not always record it
	}
	return ImageRequest{
		Kind: kind, Base: base, ImageJSON: disk.ImageJSON, PlatformsJSON: disk.PlatformsJSON,
		Name: b.Name, Build: b.ID, Version: b.Version, Summary: b.Summary, Arch: b.Arch, File: m.Records.FileName(kind, b.Name, b.ID, b.Arch), Time: made,
	}
}

// recordArtifact publishes the finished file: the file, then meta.json.
func (m *Maker) recordArtifact(ctx context.Context, b Build, a Artifact, file string, task *Task) (Result, error) {
	if err := m.Records.AddArtifact(ctx, b.ID, b.Arch, a, file); err != nil {
		return Result{}, fmt.Errorf("record %s: %w", a.File, err)
	}
	task.Phase("done", 1)
	return Result{Build: b.ID, Path: filepath.Join(b.Dir, a.File), Size: a.Size}, nil
}

// haveCommit brings the commit into the repository if it only lies in the
// build's ostree artifact, or is what that is computed of, and names it, so that no
// pruning takes it away.
func (m *Maker) haveCommit(ctx context.Context, b Build, task *Task) error {
	if m.Commits.Has(ctx, b.Commit) {
		return nil
	}
	if err := m.commitHere(ctx, b); err != nil {
		return err
	}
	task.Phase("import commit", 0)
	if err := m.Commits.Import(ctx, filepath.Join(b.Dir, b.Artifacts[KindOSTree].File), b.Commit, task); err != nil {
		return err
	}
	return m.Commits.SetRef(ctx, b.ID, b.Commit)
}

// commitHere says why a commit that the repository lacks can't be brought there.
func (m *Maker) commitHere(ctx context.Context, b Build) error {
	if a, ok := b.Artifacts[KindOSTree]; ok && (a.Local || m.Again(ctx, b, a)) {
		return nil
	}
	return Fail(ClassConfig, "find commit "+b.Commit,
		"bring the build's ostree artifact back, or make a new build: cosafs build --force",
		fmt.Errorf("neither the repository nor %s has it: %w", b.Dir, os.ErrNotExist))
}

func (m *Maker) diskRequest(b Build, kind string, c imageConfig) DiskRequest {
	return DiskRequest{
		Repo: m.Commits.Repo(), Commit: b.Commit, Ref: b.Ref, OS: b.Name,
		Build: b.ID, Arch: b.Arch, ImageJSON: c.image, PlatformsJSON: c.platforms, Sector: sectorOf(kind),
	}
}

// sectorOf is the logical sector size of a kind's disk in bytes.
func sectorOf(kind string) int {
	if kind == "metal4k" || kind == "dasd" {
		return 4096
	}
	return 512
}
