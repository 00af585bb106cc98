package materialize

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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
	in, err := m.Inputs(ctx)
	if err != nil {
		return Result{}, err
	}
	w := m.buildWork(in, o)
	w.Done = nil
	if err := m.Runner.Retry(w.Key); err != nil {
		return Result{}, err
	}
	return m.Runner.Do(ctx, w, m.Linger)
}

// buildWork composes the configuration and publishes the build.
func (m *Maker) buildWork(in InputState, o BuildOptions) Work {
	key := m.buildKey(in, o)
	return Work{
		Key: key, Target: Target{Build: Next, Arch: m.Arch, Kind: KindOSTree}, Title: "build", Space: diskSpace,
		Done: func(ctx context.Context) (Result, bool, error) {
			b, ok := m.builtFrom(ctx, in)
			return Result{Build: b.ID}, ok, nil
		},
		Run: func(ctx context.Context, task *Task) (Result, error) {
			return (&building{Maker: m, in: in, opts: o, task: task, key: key}).run(ctx)
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
	key  string

	previous *Build // nil: a first build
	prov     provenance
	commit   Commit
}

func (b *building) run(ctx context.Context) (Result, error) {
	if err := b.prepare(ctx); err != nil {
		return Result{}, err
	}
	if err := b.compose(ctx); err != nil {
		return Result{}, err
	}
	if b.unchanged() {
		b.task.Logf("nothing changed since build %s", b.previous.ID)
		b.remember(b.previous.ID)
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
	b.remember(n.ID)
	b.task.Phase("published "+n.ID, 1)
	return Result{Build: n.ID, New: true}, nil
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
		Arch: b.Arch, Version: b.opts.Version, Parent: parent, Force: b.opts.Force,
		ImageJSON: b.in.ImageJSON, Metadata: b.prov.metadata(b.Arch), Timestamp: b.prov.time,
	}
	if p := b.previous; p != nil {
		req.Previous = &Previous{Commit: p.Commit, Version: p.Version, InputHash: p.InputHash, ContentChecksum: p.ContentChecksum, Packages: p.Packages}
	}
	b.commit, err = b.Composer.Compose(ctx, req, b.task.Part(0.02, 0.8))
	return err
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

// unchanged is cosa's rule (cosa.md 4.4): the same commit and the same image
// inputs make no new build, unless it is forced.
func (b *building) unchanged() bool {
	if b.previous == nil || b.opts.Force || b.opts.ForceImage {
		return false
	}
	if b.commit.Unchanged {
		return b.opts.Version == "" || b.opts.Version == b.previous.Version
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
	id, genver, err := b.chooseID(ctx)
	if err != nil {
		return NewBuild{}, err
	}
	return NewBuild{
		ID: id, Arch: b.Arch, Name: b.in.Name, Summary: b.in.Summary, GenVer: genver,
		Commit: b.commit, ImageJSON: b.in.ImageJSON,
		Staging: filepath.Join(b.task.Scratch, "build"), Time: b.now().UTC(),
		ConfigGit: b.prov.git(), ConfigRev: b.prov.rev, ConfigDirty: b.prov.dirty,
		OverridesActive:     b.Config.overridesActive(),
		ImageConfigChecksum: b.imageConfigChecksum(), ImageInputChecksum: b.imageInputs(),
	}, nil
}

// chooseID follows cosa.md 4.5: the commit's version, or <version>-<n> when the
// commit is that of the newest build. A version that another commit holds is
// refused: one name never means two contents.
func (b *building) chooseID(ctx context.Context) (string, int, error) {
	version := b.commit.Version
	if version == "" {
		return "", 0, Fail(ClassConfig, "name the build",
			"set automatic-version-prefix in manifest.yaml, or give --version", errors.New("the commit has no version"))
	}
	genver := 0
	if p := b.previous; p != nil && p.Commit == b.commit.Checksum {
		genver = p.GenVer + 1
	}
	for {
		id := version
		if genver > 0 {
			id = fmt.Sprintf("%s-%d", version, genver)
		}
		old, err := b.Records.Build(ctx, id, b.Arch)
		if isAbsent(err) {
			return id, genver, nil
		}
		if err == nil && old.Commit != b.commit.Checksum {
			return "", 0, Fail(ClassConfig, "name the build", "give another --version",
				fmt.Errorf("build %s exists and has another commit, %.12s: %w", id, old.Commit, os.ErrExist))
		}
		genver++
	}
}

// beginDisk starts writing the base disk while the build is still being
// published, when a disk will be asked for next. It says when to stop caring:
// the disk's job lingers for whoever comes to wait for it.
func (b *building) beginDisk(ctx context.Context, n NewBuild) func() {
	if !b.wantsDisk() {
		return func() {}
	}
	req := b.diskRequest(n.Commit.Checksum, n.Commit.Ref, n.Name, n.ID, n.Arch, n.ImageJSON)
	w := b.baseWork(b.baseKey(req), req, Target{Build: n.ID, Arch: n.Arch, Kind: "disk"})
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = b.Runner.Do(ctx, w, b.handOver()) // who asks for the disk next gets its error
	}()
	return func() { cancel(); <-done }
}

func (b *building) wantsDisk() bool {
	for _, k := range b.opts.Kinds {
		if k != KindOSTree {
			return true
		}
	}
	return false
}

// publish fills the staging directory and makes it the build.
func (b *building) publish(ctx context.Context, n NewBuild) error {
	if err := os.MkdirAll(n.Staging, 0o755); err != nil {
		return err
	}
	if err := b.stageMetadata(ctx, n); err != nil {
		return err
	}
	b.task.Phase("export commit", 0.85)
	tar, err := b.exportCommit(ctx, n)
	if err != nil {
		return err
	}
	n.Artifacts = append(n.Artifacts, tar)
	b.task.Phase("publish", 0.97)
	if err := b.Commits.SetRef(ctx, n.ID, n.Commit.Checksum); err != nil {
		return err
	}
	if err := b.Records.Add(ctx, n); err != nil {
		return fmt.Errorf("publish build %s: %w", n.ID, err)
	}
	return nil
}

// stageMetadata writes the files of cosa.md 1.3 that stand beside meta.json.
func (b *building) stageMetadata(ctx context.Context, n NewBuild) error {
	files := map[string][]byte{
		"commitmeta.json":                             n.Commit.CommitMeta,
		"ostree-commit-object":                        n.Commit.Object,
		"manifest-lock.generated." + n.Arch + ".json": n.Commit.Lockfile,
	}
	for name, content := range files {
		if len(content) == 0 {
			continue
		}
		if err := os.WriteFile(filepath.Join(n.Staging, name), content, 0o444); err != nil {
			return err
		}
	}
	return b.Config.archive(ctx, b.prov, n.Staging)
}

func (b *building) exportCommit(ctx context.Context, n NewBuild) (Artifact, error) {
	name := b.Records.FileName(KindOSTree, n.Name, n.ID, n.Arch)
	out := filepath.Join(n.Staging, name)
	refs := []string{n.ID}
	if n.Commit.Ref != "" {
		refs = append(refs, n.Commit.Ref)
	}
	if err := b.Commits.Export(ctx, n.Commit.Checksum, refs, out, b.task); err != nil {
		return Artifact{}, err
	}
	if err := os.Chmod(out, 0o444); err != nil {
		return Artifact{}, err
	}
	sum, size, err := hashFile(ctx, out)
	return Artifact{Kind: KindOSTree, File: name, Size: size, SHA256: sum, SkipCompression: true, Local: true}, err
}

// built is what the state directory remembers: these inputs gave this build.
type built struct {
	Build string            `json:"build"`
	Parts map[string]string `json:"parts"` // for cosafs why
}

func (m *Maker) builtPath(in InputState) string {
	return filepath.Join(m.StateDir, "built", in.Key+".json")
}

// remember writes down which build the inputs gave. Losing it costs a compose
// that finds nothing changed, so errors are only told.
func (b *building) remember(id string) {
	path := b.builtPath(b.in)
	c, err := json.Marshal(built{Build: id, Parts: b.in.Parts})
	if err == nil {
		err = errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), writeFile(path, c))
	}
	if err != nil {
		b.task.Logf("cannot remember the build's inputs: %v", err)
	}
}

// builtFrom finds the build that these inputs gave, if it is still the newest:
// next/ is what the configuration gives now, compared with the latest build.
func (m *Maker) builtFrom(ctx context.Context, in InputState) (Build, bool) {
	c, err := os.ReadFile(m.builtPath(in))
	if err != nil {
		return Build{}, false
	}
	var r built
	if json.Unmarshal(c, &r) != nil {
		return Build{}, false
	}
	latest, err := m.Records.Latest(ctx, m.Arch)
	if err != nil || latest.ID != r.Build {
		return Build{}, false
	}
	return latest, true
}

// writeFile replaces a file of our own state in one step. It isn't synced: a
// crash may lose it, and then it is made again.
func writeFile(path string, content []byte) error {
	tmp := fmt.Sprintf("%s.tmp%d", path, os.Getpid())
	if err := os.WriteFile(tmp, content, 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
