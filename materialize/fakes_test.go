package materialize_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	. "cosafs/materialize"
)

const (
	arch          = "x86_64"
	imagePath     = "/usr/share/coreos-assembler/image.json"
	platformsPath = "/usr/share/coreos-assembler/platforms.json"
)

// A world is a Maker over fakes, with the real Runner.
type world struct {
	*Maker
	dir      string
	composer *fakeComposer
	disks    *fakeDisks
	commits  *fakeCommits
	records  *fakeRecords
	packer   *fakePacker
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	commits := &fakeCommits{dir: dir, files: map[string]map[string]string{}, refs: map[string]string{}}
	w := &world{
		dir: dir, commits: commits,
		composer: &fakeComposer{commits: commits, inputs: Inputs{Hash: "inputs-1", Parts: map[string]string{"manifest.yaml": "1"}, Name: "tiny"}},
		disks:    &fakeDisks{image: `{"size":1}`, platforms: `{}`},
		records:  &fakeRecords{dir: filepath.Join(dir, "builds"), builds: map[string]Build{}},
		packer:   &fakePacker{},
	}
	config := filepath.Join(dir, "src", "config")
	write(t, filepath.Join(config, "manifest.yaml"), "packages: []\n")
	w.Maker = &Maker{
		Composer: w.composer, Disks: w.disks, Commits: commits, Records: w.records, Packer: w.packer,
		Runner: newRunner(t, dir, func(c *RunnerConfig) { c.Free = func(string) (int64, error) { return 1 << 40, nil } }),
		Config: ConfigDir{Dir: config, Overrides: filepath.Join(dir, "overrides")},
		Arch:   arch, StateDir: filepath.Join(dir, "state"), Version: "1",
	}
	t.Cleanup(func() {
		if err := w.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return w
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// open makes the target, which must succeed.
func (w *world) open(t *testing.T, build, kind string) Result {
	t.Helper()
	r, err := w.Make(t.Context(), Target{Build: build, Arch: arch, Kind: kind})
	if err != nil {
		t.Fatalf("open %s/%s: %v", build, kind, err)
	}
	return r
}

// idle waits for jobs that are about to end: what a job records is there for others
// before it has ended.
func (w *world) idle() {
	for slices.ContainsFunc(w.Runner.Jobs(), JobInfo.Active) {
		runtime.Gosched()
	}
}

// build makes a build, which must succeed.
func (w *world) build(t *testing.T, o BuildOptions) Result {
	t.Helper()
	r, err := w.Build(t.Context(), o)
	if err != nil {
		t.Fatalf("build %+v: %v", o, err)
	}
	return r
}

// wantRuns checks how often the expensive things happened.
func (w *world) wantRuns(t *testing.T, composes, disks, images int) {
	t.Helper()
	if c, d, i := w.composer.composes(), w.disks.count(&w.disks.writes), w.disks.count(&w.disks.makes); c != composes || d != disks || i != images {
		t.Errorf("%d composes, %d disks, %d images; want %d, %d, %d", c, d, i, composes, disks, images)
	}
}

func sum(parts ...string) string {
	h := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return hex.EncodeToString(h[:])
}

// A fakeComposer makes a commit of its inputs and the version.
type fakeComposer struct {
	commits *fakeCommits

	mu       sync.Mutex
	inputs   Inputs
	broken   error // of Inputs
	err      error // of Compose
	version  string
	requests []ComposeRequest
	during   func() // called in the middle of a compose
	running  int
	overlap  bool
}

func (c *fakeComposer) Name() string { return "fake" }

func (c *fakeComposer) Inputs(context.Context) (Inputs, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.inputs, c.broken
}

func (c *fakeComposer) set(change func(c *fakeComposer)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(c)
}

func (c *fakeComposer) composes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.requests)
}

func (c *fakeComposer) last() ComposeRequest {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requests[len(c.requests)-1]
}

func (c *fakeComposer) Compose(_ context.Context, req ComposeRequest, _ *Task) (Commit, error) {
	c.set(func(c *fakeComposer) {
		c.requests = append(c.requests, req)
		c.running++
		c.overlap = c.overlap || c.running > 1
	})
	defer c.set(func(c *fakeComposer) { c.running-- })
	if c.during != nil {
		c.during()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return Commit{}, c.err
	}
	hash := sum(c.inputs.Hash, string(req.ImageJSON), string(req.PlatformsJSON))
	if p := req.Previous; p != nil && p.InputHash == hash && !req.Force {
		return Commit{Unchanged: true, Checksum: p.Commit, Version: p.Version, InputHash: hash}, nil
	}
	version := c.nextVersion(req)
	commit := sum(hash, version)
	c.commits.put(commit, map[string]string{imagePath: string(req.ImageJSON), platformsPath: string(req.PlatformsJSON)})
	return Commit{
		Checksum: commit, ContentChecksum: sum("content", hash), Version: version, Ref: "tiny/main", InputHash: hash,
		Timestamp:  time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		CommitMeta: []byte(`{"version":"` + version + `"}`), Object: []byte("object " + commit), Lockfile: []byte(`{"packages":{}}`),
	}, nil
}

func (c *fakeComposer) nextVersion(req ComposeRequest) string {
	switch {
	case req.Version != "":
		return req.Version
	case c.version != "":
		return strings.TrimSuffix(c.version, "none")
	case req.Previous == nil:
		return "1.0"
	}
	var major, minor int
	_, _ = fmt.Sscanf(req.Previous.Version, "%d.%d", &major, &minor) // a test's own versions stay 0
	return fmt.Sprintf("%d.%d", major, minor+1)
}

// fakeDisks writes disks of a few bytes in a sparse MiB.
type fakeDisks struct {
	mu            sync.Mutex
	image         string
	platforms     string
	err           error // of Write
	writes, makes int
	sectors       []int
	images        []string // image.json of each Write
	tables        []string // platforms.json of each Write and View
	making        func(base string)
	reading       func() // called before each read of a view
	reads         int    // bytes read of views
	views         int    // that were opened
	salt          string // makes the disks of a commit differ
}

func (d *fakeDisks) count(n *int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return *n
}

func (d *fakeDisks) RenderImage(context.Context) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return []byte(d.image), nil
}

func (d *fakeDisks) RenderPlatforms(context.Context, string) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return []byte(d.platforms), nil
}

func (d *fakeDisks) Tool() string    { return "fake-1" }
func (d *fakeDisks) Kinds() []string { return []string{"azure", "metal", "metal4k", "qemu"} }
func (d *fakeDisks) Views() []string { return []string{"azure"} }

func (d *fakeDisks) View(req ImageRequest) (View, error) {
	d.mu.Lock()
	d.tables = append(d.tables, string(req.PlatformsJSON))
	d.views++
	d.mu.Unlock()
	b, err := os.ReadFile(req.Base.Path)
	if err != nil {
		return nil, err
	}
	return fakeView{bytes.NewReader(append([]byte(req.Kind+" "), b...)), d}, nil
}

func (d *fakeDisks) Disk(req ImageRequest) (View, error) {
	req.Kind = "disk of " + req.Kind
	return d.View(req)
}

// fakeView is a view that has its bytes, of which those after the first 4096 are a hole.
type fakeView struct {
	*bytes.Reader
	of *fakeDisks
}

func (fakeView) Close() error                              { return nil }
func (fakeView) Blocks() int64                             { return 8 }
func (fakeView) LocalFile() (*os.File, bool)               { return nil, false }
func (fakeView) Source(_, _ int64) (*os.File, int64, bool) { return nil, 0, false }

func (v fakeView) Data(off int64) (Extent, bool) {
	end := min(v.Size(), 4096)
	return Extent{off, end - off}, off < end
}

func (v fakeView) ReadAt(p []byte, off int64) (int, error) {
	v.of.mu.Lock()
	reading := v.of.reading
	v.of.mu.Unlock()
	if reading != nil {
		reading()
	}
	n, err := v.Reader.ReadAt(p, off)
	v.of.mu.Lock()
	defer v.of.mu.Unlock()
	v.of.reads += n
	return n, err
}

func (d *fakeDisks) Write(_ context.Context, req DiskRequest, _ *Task) (BaseDisk, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.writes++
	d.sectors, d.images = append(d.sectors, req.Sector), append(d.images, string(req.ImageJSON))
	d.tables = append(d.tables, string(req.PlatformsJSON))
	if d.err != nil {
		return BaseDisk{}, d.err
	}
	if err := os.WriteFile(req.Out, []byte("disk of "+req.Commit+d.salt), 0o644); err != nil {
		return BaseDisk{}, err
	}
	return BaseDisk{Path: req.Out, Size: 1 << 20}, os.Truncate(req.Out, 1<<20)
}

func (d *fakeDisks) Make(_ context.Context, req ImageRequest, out string, _ *Task) error {
	if d.making != nil {
		d.making(req.Base.Path)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.makes++
	b, err := os.ReadFile(req.Base.Path)
	if err != nil {
		return err
	}
	return os.WriteFile(out, append([]byte(req.Kind+" "), b...), 0o644)
}

// fakeCommits is a repository in memory.
type fakeCommits struct {
	dir string

	mu      sync.Mutex
	files   map[string]map[string]string // commit -> path -> content
	refs    map[string]string
	imports int
	prunes  int
	unread  error             // of Cat
	archive map[string]string // what was exported, by commit and refs
	views   fakeDisks         // counts what is read of it
}

func (s *fakeCommits) put(commit string, files map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[commit] = files
}

func (s *fakeCommits) Has(_ context.Context, commit string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.files[commit] != nil
}

func (s *fakeCommits) Import(_ context.Context, artifact, commit string, _ *Task) error {
	b, err := os.ReadFile(artifact)
	if errors.Is(err, fs.ErrNotExist) {
		b, err = s.exported(commit)
	}
	if err != nil || !strings.Contains(string(b), commit) {
		return errors.Join(err, fmt.Errorf("%s has no %s", artifact, commit))
	}
	s.put(commit, map[string]string{imagePath: `{"imported":true}`})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.imports++
	return nil
}

func (s *fakeCommits) Export(_ context.Context, commit string, refs []string, out string, _ *Task) error {
	content := commit + " " + strings.Join(refs, " ")
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.archive == nil {
		s.archive = map[string]string{}
	}
	s.archive[content] = content
	return os.WriteFile(out, []byte(content), 0o644)
}

// exported gives what was exported of the commit.
func (s *fakeCommits) exported(commit string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for content := range s.archive {
		if strings.HasPrefix(content, commit) {
			return []byte(content), nil
		}
	}
	return nil, fs.ErrNotExist
}

// ExportView has what was exported until archive is cleared.
func (s *fakeCommits) ExportView(_ context.Context, commit string, refs []string) (View, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b, ok := s.archive[commit+" "+strings.Join(refs, " ")]; ok {
		return fakeView{bytes.NewReader([]byte(b)), &s.views}, nil
	}
	return nil, fs.ErrNotExist
}

func (s *fakeCommits) ExportSize(ctx context.Context, commit string, refs []string) (int64, error) {
	v, err := s.ExportView(ctx, commit, refs)
	if err != nil {
		return 0, err
	}
	return v.Size(), nil
}

func (s *fakeCommits) Repo() string { return filepath.Join(s.dir, "repo") }

func (s *fakeCommits) Cat(_ context.Context, commit, path string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unread != nil {
		return nil, s.unread
	}
	if content, ok := s.files[commit][path]; ok {
		return []byte(content), nil
	}
	return nil, fs.ErrNotExist
}

func (s *fakeCommits) SetRef(_ context.Context, ref, commit string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refs[ref] = commit
	return nil
}

func (s *fakeCommits) DeleteRef(_ context.Context, ref string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.refs, ref)
	return nil
}

func (s *fakeCommits) Prune(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.prunes++
	return nil
}

// fakeRecords keeps builds in memory and their files in a directory.
type fakeRecords struct {
	dir string

	mu     sync.Mutex
	ids    []string // newest first
	builds map[string]Build
	bad    map[string]error // id -> why it can't be read
	added  []NewBuild
}

func (r *fakeRecords) Latest(ctx context.Context, arch string) (Build, error) {
	r.mu.Lock()
	ids := slices.Clone(r.ids)
	r.mu.Unlock()
	for _, id := range ids {
		if b, err := r.Build(ctx, id, arch); err == nil {
			return b, nil
		}
	}
	return Build{}, fs.ErrNotExist
}

func (r *fakeRecords) Build(ctx context.Context, id, _ string) (Build, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := errors.Join(ctx.Err(), r.bad[id]); err != nil {
		return Build{}, err
	}
	b, ok := r.builds[id]
	if !ok {
		return Build{}, fs.ErrNotExist
	}
	for kind, a := range b.Artifacts {
		_, err := os.Stat(filepath.Join(b.Dir, a.File))
		a.Local = err == nil
		b.Artifacts[kind] = a
	}
	b.Artifacts = cloneMap(b.Artifacts)
	return b, nil
}

func cloneMap(m map[string]Artifact) map[string]Artifact {
	c := map[string]Artifact{}
	for k, v := range m {
		c[k] = v
	}
	return c
}

func (r *fakeRecords) List(context.Context) ([]BuildRef, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var refs []BuildRef
	for _, id := range r.ids {
		refs = append(refs, BuildRef{ID: id, Arches: []string{arch}})
	}
	return refs, nil
}

func (r *fakeRecords) Add(_ context.Context, n NewBuild) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	dir := filepath.Join(r.dir, n.ID, n.Arch)
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	if err := os.Rename(n.Staging, dir); err != nil {
		return err
	}
	b := Build{
		ID: n.ID, Arch: n.Arch, Name: n.Name, Ref: n.Commit.Ref, Version: n.Commit.Version, Commit: n.Commit.Checksum,
		InputHash: n.Commit.InputHash, ContentChecksum: n.Commit.ContentChecksum, GenVer: n.GenVer, CommitTime: n.Commit.Timestamp,
		ImageInputChecksum: n.ImageInputChecksum, Dir: dir, Artifacts: map[string]Artifact{},
	}
	for _, a := range n.Artifacts {
		b.Artifacts[a.Kind] = a
	}
	r.added, r.ids = append(r.added, n), append([]string{n.ID}, r.ids...)
	r.builds[n.ID] = b
	return nil
}

func (r *fakeRecords) AddArtifact(_ context.Context, id, _ string, a Artifact, file string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.builds[id]
	if old, ok := b.Artifacts[a.Kind]; ok && old.SHA256 != a.SHA256 {
		return fs.ErrExist
	}
	b.Artifacts = cloneMap(b.Artifacts)
	b.Artifacts[a.Kind] = a
	r.builds[id] = b
	return os.Rename(file, filepath.Join(b.Dir, a.File))
}

func (r *fakeRecords) ReplaceArtifact(_ context.Context, id, _ string, was, now Artifact, file string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.builds[id]
	if b.Artifacts[was.Kind].SHA256 != was.SHA256 {
		return fs.ErrExist
	}
	b.Artifacts = cloneMap(b.Artifacts)
	b.Artifacts[now.Kind] = now
	r.builds[id] = b
	err := os.Rename(file, filepath.Join(b.Dir, now.File))
	if was.File != now.File {
		err = errors.Join(err, os.Remove(filepath.Join(b.Dir, was.File)))
	}
	return err
}

func (r *fakeRecords) Prune(context.Context, PruneRequest) ([]BuildRef, error) { return nil, nil }
func (r *fakeRecords) Tag(context.Context, string, string) error               { return nil }
func (r *fakeRecords) Untag(context.Context, string) error                     { return nil }

func (r *fakeRecords) FileName(kind, name, id, arch string) string {
	suffix := map[string]string{"ostree": "tar", "qemu": "qcow2", "metal": "raw", "metal4k": "raw"}[kind]
	return fmt.Sprintf("%s-%s-%s.%s.%s", name, id, kind, arch, suffix)
}
