package materialize

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
)

// A LiveMaker makes the live system of a commit: several artifacts that belong together.
type LiveMaker interface {
	// LiveKinds lists their kinds.
	LiveKinds() []string
	// MakeLive writes them into the task's scratch and gives their paths by kind. The same
	// request gives the same bytes.
	MakeLive(ctx context.Context, req LiveRequest, t *Task) (map[string]string, error)
	// PackOsmet has the coreos-installer of the disk's own system write its osmet file.
	// Failures: as [DiskWriter]'s Write.
	PackOsmet(ctx context.Context, req OsmetRequest, t *Task) error
}

// A LiveRequest says which live system to make.
type LiveRequest struct {
	DiskRequest                   // but for Out and Sector
	Osmets      map[string]string // paths of osmet files, by their names in the root
}

// Kinds lists the kinds that this machine makes, but for the commit itself.
func (m *Maker) Kinds() []string {
	return slices.Sorted(slices.Values(append(m.Disks.Kinds(), m.liveKinds()...)))
}

func (m *Maker) liveKinds() []string {
	if m.Live == nil {
		return nil
	}
	return m.Live.LiveKinds()
}

func (m *Maker) isLive(kind string) bool { return slices.Contains(m.liveKinds(), kind) }

// makeLive makes all live artifacts, whichever is asked for, as cosa does: one job.
func (m *Maker) makeLive(ctx context.Context, b Build, t Target) (Result, error) {
	if _, err := m.Runner.Do(ctx, m.liveWork(b, t), m.Linger); err != nil {
		return Result{}, err
	}
	r, ok, err := m.stored(ctx, t) // the job may have been begun for another of them
	if err == nil && !ok {
		err = fmt.Errorf("%s: it was made, and is gone: %w", t, ErrAbandoned)
	}
	return r, err
}

func (m *Maker) liveWork(b Build, t Target) Work {
	return Work{
		Key: m.liveKey(b), Target: t, Title: "live", Space: diskSpace,
		Done: func(ctx context.Context) (Result, bool, error) { return m.stored(ctx, t) },
		Run:  func(ctx context.Context, task *Task) (Result, error) { return m.runLive(ctx, b, t, task) },
	}
}

func (m *Maker) liveKey(b Build) string {
	return hashKey("live", b.ID, b.Arch, b.Commit, m.Disks.Tool())
}

func (m *Maker) runLive(ctx context.Context, b Build, t Target, task *Task) (Result, error) {
	if err := m.haveCommit(ctx, b, task.Part(0, 0.1)); err != nil {
		return Result{}, err
	}
	made, err := m.liveFiles(ctx, b, t, task.Part(0.1, 0.9))
	if err != nil {
		return Result{}, err
	}
	artifacts, err := m.describeLive(ctx, b, t, made, task)
	if err != nil {
		return Result{}, err
	}
	var result Result
	for _, a := range artifacts {
		r, err := m.recordLive(ctx, b, a, made[a.Kind], task)
		if err != nil {
			return Result{}, err
		}
		if a.Kind == t.Kind {
			result = r
		}
	}
	return result, nil
}

// liveFiles writes them into the task's scratch.
func (m *Maker) liveFiles(ctx context.Context, b Build, t Target, task *Task) (map[string]string, error) {
	req, err := m.requestOf(ctx, b, t.Kind)
	if err != nil {
		return nil, err
	}
	osmets, release, err := m.osmets(ctx, b, t, task.Part(0, 0.6))
	if err != nil {
		return nil, err
	}
	defer release()
	if len(osmets) > 0 {
		task = task.Part(0.6, 1)
	}
	return m.Live.MakeLive(ctx, LiveRequest{req, osmets}, task)
}

// describeLive hashes them all before any is recorded: they are of one making, so that
// if one isn't what was recorded before, the others don't belong to that one.
func (m *Maker) describeLive(ctx context.Context, b Build, t Target, made map[string]string, task *Task) ([]Artifact, error) {
	var artifacts []Artifact
	for _, kind := range slices.Sorted(maps.Keys(made)) {
		task.Phase("sha256 "+kind, 0.9)
		sum, size, err := hashFile(ctx, made[kind])
		if err != nil {
			return nil, err
		}
		if err := checkAgain(b, Target{Build: t.Build, Arch: t.Arch, Kind: kind}, sum); err != nil {
			return nil, err
		}
		artifacts = append(artifacts, Artifact{Kind: kind, File: m.Records.FileName(kind, b.Name, b.ID, b.Arch), Size: size, SHA256: sum})
	}
	return artifacts, nil
}

// recordLive records one of them, if its file isn't there already.
func (m *Maker) recordLive(ctx context.Context, b Build, made Artifact, file string, task *Task) (Result, error) {
	if a, ok := b.Artifacts[made.Kind]; ok && a.Local {
		return Result{Build: b.ID, Path: filepath.Join(b.Dir, a.File), Size: a.Size}, nil
	}
	return m.recordArtifact(ctx, b, made, file, task)
}
