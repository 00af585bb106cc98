package materialize

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"
)

// BuildOptions are the ways to steer a build; see cosafs build --help.
type BuildOptions struct {
	Force      bool     // a new commit even when nothing changed
	ForceImage bool     // a new build even when commit and image configuration are the same
	Version    string   // "" = automatic
	Parent     string   // parent commit or build id, "" = none
	Kinds      []string // what will be asked of the build next: its disk is begun early
}

// special says that the options ask for more than "what the configuration gives".
func (o BuildOptions) special() bool {
	return o.Force || o.ForceImage || o.Version != "" || o.Parent != ""
}

// Build makes a build if anything changed since the newest one: cosa build's
// sequence without its pruning. Result.New says whether a build was made.
// Unlike an open of next/ it always asks the package repositories, and tries
// again what failed before.
func (m *Maker) Build(ctx context.Context, o BuildOptions) (Result, error) {
	if o.Version != "" {
		if err := checkID(o.Version); err != nil {
			return Result{}, err
		}
	}
	in, err := m.InputsNow(ctx)
	if err != nil {
		return Result{}, err
	}
	w := m.buildWork(in, o)
	w.Done = func(context.Context) (Result, bool, error) { return Result{}, false, nil }
	if err := m.Runner.Retry(w.Key); err != nil {
		return Result{}, err
	}
	return m.Runner.Do(ctx, w, m.Linger)
}

// buildWork composes the configuration and publishes the build.
func (m *Maker) buildWork(in InputState, o BuildOptions) Work {
	return Work{
		Key: m.buildKey(in, o), Target: Target{Build: Next, Arch: m.Arch, Kind: KindOSTree}, Title: "build", Space: diskSpace,
		Done: func(ctx context.Context) (Result, bool, error) {
			b, ok := m.builtFrom(ctx, in)
			return Result{Build: b.ID}, ok, nil
		},
		Run: func(ctx context.Context, task *Task) (Result, error) {
			return (&building{Maker: m, in: in, opts: o, task: task}).run(ctx)
		},
	}
}

func (m *Maker) buildKey(in InputState, o BuildOptions) string {
	if !o.special() {
		return hashKey("build", in.Key)
	}
	return hashKey("build", in.Key, fmt.Sprint(o.Force, o.ForceImage), o.Version, o.Parent)
}

// building is one run of the sequence.
type building struct {
	*Maker
	in   InputState
	opts BuildOptions
	task *Task

	previous *Build // nil: a first build
	prov     provenance
	commit   Commit
}

func (b *building) run(ctx context.Context) (Result, error) {
	unlock, err := b.lock(ctx)
	if err != nil {
		return Result{}, err
	}
	defer unlock()
	if err := b.prepare(ctx); err != nil {
		return Result{}, err
	}
	if err := b.compose(ctx); err != nil {
		return Result{}, err
	}
	if b.unchanged() {
		b.task.Logf("nothing changed since build %s", b.previous.ID)
		b.remember(ctx, b.previous.ID)
		return Result{Build: b.previous.ID}, nil
	}
	n, err := b.describe(ctx)
	if err != nil {
		return Result{}, err
	}
	stop := b.beginDisk(ctx, n)
	defer stop()
	if err := b.publish(ctx, n); err != nil {
		return Result{}, err
	}
	b.remember(ctx, n.ID)
	b.task.Phase("published "+n.ID, 1)
	return Result{Build: n.ID, New: true}, nil
}

// lock lets one build at a time be made in the directory, whatever its options
// and whichever process makes it: a compose compares with the newest build, an
// id is chosen by what is there, and the repository must not be pruned between
// commit and ref.
func (b *building) lock(ctx context.Context) (func(), error) {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for waited := false; ; waited = true {
		lock, err := b.tryBuildLock()
		if err == nil {
			return func() { _ = lock.Close() }, nil // an empty file: nothing to lose
		}
		if !errors.Is(err, errLocked) {
			return nil, fmt.Errorf("lock the build directory: %w", err)
		}
		if !waited {
			b.task.Phase("waiting for another build", 0)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (m *Maker) tryBuildLock() (lockFile, error) {
	return tryLock(filepath.Join(m.StateDir, "build.lock"))
}

// prepare reads what the build is compared with and where its config is from.
func (b *building) prepare(ctx context.Context) error {
	b.task.Phase("prepare", 0)
	prev, err := b.Records.Latest(ctx, b.Arch)
	switch {
	case err == nil:
		b.previous = &prev
	case !isAbsent(err):
		return fmt.Errorf("read the newest build: %w", err)
	}
	b.prov, err = b.Config.provenance(ctx)
	return err
}

func (b *building) compose(ctx context.Context) error {
	b.task.Phase("compose", 0.02)
	parent, err := b.parentCommit(ctx)
	if err != nil {
		return err
	}
	req := ComposeRequest{
		Arch: b.Arch, Version: b.opts.Version, Parent: parent, Force: b.opts.Force || b.renamed(),
		ImageJSON: b.in.ImageJSON, PlatformsJSON: b.in.PlatformsJSON,
		Metadata: b.prov.metadata(b.Arch), Timestamp: b.prov.time,
	}
	if p := b.previous; p != nil {
		req.Previous = &Previous{Commit: p.Commit, Version: p.Version, InputHash: p.InputHash, ContentChecksum: p.ContentChecksum, Packages: p.Packages}
	}
	b.commit, err = b.Composer.Compose(ctx, req, b.task.Part(0.02, 0.8))
	return err
}

// renamed says whether an explicit version asks for another commit than the
// newest build's: the version is part of a commit.
func (b *building) renamed() bool {
	return b.opts.Version != "" && b.previous != nil && b.opts.Version != b.previous.Version
}

// parentCommit resolves --parent, which names a build or a commit.
func (b *building) parentCommit(ctx context.Context) (string, error) {
	if b.opts.Parent == "" {
		return "", nil
	}
	build, err := b.Records.Build(ctx, b.opts.Parent, b.Arch)
	if err == nil {
		return build.Commit, nil
	}
	if isAbsent(err) && len(b.opts.Parent) == 64 {
		return b.opts.Parent, nil
	}
	return "", Fail(ClassConfig, "--parent "+b.opts.Parent, "name a build that cosafs list shows, or a commit checksum", err)
}

// unchanged is cosa's rule: the same commit and the same image
// inputs make no new build, unless it is forced.
func (b *building) unchanged() bool {
	if b.previous == nil || b.opts.Force || b.opts.ForceImage {
		return false
	}
	if b.commit.Unchanged {
		return true
	}
	return b.commit.Checksum == b.previous.Commit && b.imageInputs() == b.previous.ImageInputChecksum
}

func (b *building) imageConfigChecksum() string { return hexSHA256(b.in.ImageJSON) }

// imageInputs is cosa's coreos-assembler.image-input-checksum.
func (b *building) imageInputs() string {
	return hexSHA256([]byte(b.commit.Checksum + "\n" + b.imageConfigChecksum() + "\n"))
}

// describe chooses the build's id and gathers what is recorded of it.
func (b *building) describe(ctx context.Context) (NewBuild, error) {
	if b.commit.Unchanged {
		if err := b.reuse(ctx); err != nil {
			return NewBuild{}, err
		}
	}
	id, genver, err := b.chooseID(ctx)
	if err != nil {
		return NewBuild{}, err
	}
	return NewBuild{
		ID: id, Arch: b.Arch, Name: b.in.Name, Summary: b.in.Summary, GenVer: genver,
		Commit: b.commit, ImageJSON: b.in.ImageJSON,
		Staging: filepath.Join(b.task.Scratch, "build"), Time: b.now().UTC(),
		ConfigGit: b.prov.git(), ConfigRev: b.prov.rev, ConfigDirty: b.prov.dirty,
		Variant:             b.Config.Variant,
		OverridesActive:     b.Config.overridesActive(),
		ImageConfigChecksum: b.imageConfigChecksum(), ImageInputChecksum: b.imageInputs(),
	}, nil
}

// beginDisk starts writing the base disk while the build is still being
// published, when a disk will be asked for next. It says when to stop caring:
// the disk's job lingers for whoever comes to wait for it.
func (b *building) beginDisk(ctx context.Context, n NewBuild) func() {
	i := slices.IndexFunc(b.opts.Kinds, func(kind string) bool { return kind != KindOSTree && !b.isLive(kind) })
	if i < 0 {
		return func() {}
	}
	made := Build{ID: n.ID, Arch: n.Arch, Name: n.Name, Ref: n.Commit.Ref, Commit: n.Commit.Checksum}
	w := b.baseWork(b.diskRequest(made, b.opts.Kinds[i], b.in.imageConfig()), Target{Build: n.ID, Arch: n.Arch, Kind: b.opts.Kinds[i]})
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = b.Runner.Do(ctx, w, b.handOver()) // who asks for the disk next gets its error
	}()
	return func() { cancel(); <-done }
}
