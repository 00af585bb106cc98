package materialize

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
)

// Remake makes a recorded artifact again, as for the first time, as cosa's --force
// does. It is for a person who asked for that by name: no open does it. Where the
// recorded bytes come out, and are here, nothing changes, and Result.Same says so.
// Others take the place of the recorded file, see [Records.ReplaceArtifact]; the
// place of a compressed one is taken by the uncompressed file. What isn't recorded
// yet is made. The commit itself is refused with fs.ErrInvalid.
func (m *Maker) Remake(ctx context.Context, t Target) (Result, error) {
	if err := m.remakeable(t); err != nil {
		return Result{}, err
	}
	t, _, err := m.inBuild(ctx, t)
	if err != nil {
		return Result{}, err
	}
	t.Kind, _ = SplitKind(t.Kind) // of next/ it may be the uncompressed form
	b, err := m.Records.Build(ctx, t.Build, t.Arch)
	if err != nil {
		return Result{}, err
	}
	w := m.artifactWork(b, t)
	if was, recorded := b.Artifacts[t.Kind]; recorded {
		w = m.remakeWork(b, was, t)
	}
	if err := m.forget(ctx, b, t, w.Key); err != nil {
		return Result{}, err
	}
	return m.Runner.Do(ctx, w, m.Linger)
}

// remakeable refuses what can't be made again by itself.
func (m *Maker) remakeable(t Target) error {
	op := "make " + t.String() + " again"
	kind, format := SplitKind(t.Kind)
	switch err := m.makeable(t); {
	case kind == KindOSTree:
		return Fail(ClassConfig, op, "cosafs build --force makes a new build", Says(fs.ErrInvalid, "a build is its commit"))
	case m.isLive(kind):
		return Fail(ClassConfig, op, "cosafs build --force makes a new build", Says(fs.ErrInvalid, "the live system follows from the commit, and would be the same"))
	case format != "":
		return Fail(ClassConfig, op, "name the artifact itself: "+kind, Says(fs.ErrInvalid, "another compression of an artifact is recorded nowhere"))
	case errors.Is(err, ErrNotMakeable):
		return Fail(ClassConfig, op, "kinds that can be made again on "+m.Arch+": "+strings.Join(m.Disks.Kinds(), " "), err)
	default:
		return err
	}
}

// another tells how else than by bringing its file back a lost artifact is mended.
func another(t Target) string {
	const build = "make a new build: cosafs build --force"
	if kind, _ := SplitKind(t.Kind); kind != KindOSTree && !strings.HasPrefix(kind, "live-") {
		return "put another in its place: cosafs extend --force " + kind + " --build " + t.Build + ", or " + build
	}
	return build
}

// remakeWork makes the artifact again that is recorded as was. It is done when
// other content is recorded: another process made it in the meantime.
func (m *Maker) remakeWork(b Build, was Artifact, t Target) Work {
	return Work{
		Key: hashKey("remake", m.artifactKey(b, t.Kind), was.SHA256), Target: t, Title: t.Kind, Space: diskSpace,
		Done: func(ctx context.Context) (Result, bool, error) {
			now, err := m.Records.Build(ctx, b.ID, b.Arch)
			a := now.Artifacts[t.Kind]
			return Result{Build: b.ID, Path: filepath.Join(now.Dir, a.File), Size: a.Size}, err == nil && a.Local && a.Content() != was.Content(), err
		},
		Run: func(ctx context.Context, task *Task) (Result, error) { return m.runRemake(ctx, t, task) },
	}
}

func (m *Maker) runRemake(ctx context.Context, t Target, task *Task) (Result, error) {
	b, err := m.Records.Build(ctx, t.Build, t.Arch)
	if err != nil {
		return Result{}, err
	}
	now, out, err := m.makeFile(ctx, b, t, task)
	if err != nil {
		return Result{}, err
	}
	was := b.Artifacts[t.Kind]
	now.SkipCompression = was.SkipCompression
	same, err := holds(ctx, b, was, now)
	if err != nil {
		return Result{}, err
	}
	if same {
		task.Phase("came out as recorded", 1)
		return Result{Build: b.ID, Path: filepath.Join(b.Dir, was.File), Size: was.Size, Same: true}, nil
	}
	return m.replace(ctx, b, was, now, out, task)
}

// holds says whether what was made again is the recorded file, and that is here
// undamaged.
func holds(ctx context.Context, b Build, was, now Artifact) (bool, error) {
	if !was.Local || was.File != now.File || was.SHA256 != now.SHA256 {
		return false, nil
	}
	sum, _, err := hashFile(ctx, filepath.Join(b.Dir, was.File))
	if isAbsent(err) {
		return false, nil
	}
	return sum == was.SHA256, err
}

// forget forgets the failures of a work and of the disk below it: who asks by name
// wants another try.
func (m *Maker) forget(ctx context.Context, b Build, t Target, key string) error {
	if err := m.Runner.Retry(key); err != nil {
		return err
	}
	req, err := m.requestOf(ctx, b, t.Kind)
	if err != nil {
		return nil //nolint:nilerr // no disk of it was tried; the job says why
	}
	return m.Runner.Retry(m.baseKey(req))
}
