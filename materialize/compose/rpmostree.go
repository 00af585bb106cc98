package compose

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"cosafs/materialize"
)

// RPMOSTree composes with `rpm-ostree compose tree`, of this machine or of a
// container image. It needs root, bubblewrap and /dev/fuse; on a host without
// them, a container image that has them.
type RPMOSTree struct {
	cfg   Config
	store *OSTree
}

// NewRPMOSTree gives the engine of a configuration. It touches nothing.
func NewRPMOSTree(cfg Config) *RPMOSTree {
	cfg = cfg.WithDefaults()
	return &RPMOSTree{cfg, NewOSTree(cfg)}
}

var _ materialize.Composer = (*RPMOSTree)(nil)

// Name is "rpm-ostree".
func (r *RPMOSTree) Name() string { return "rpm-ostree" }

// Inputs is [ReadInputs].
func (r *RPMOSTree) Inputs(ctx context.Context) (materialize.Inputs, error) {
	return ReadInputs(ctx, r.cfg)
}

// Compose runs rpm-ostree. One compose a time uses a cache, in whatever process:
// rpm-ostree has no lock of its own, and two at once lose a commit.
//
// rpm-ostree decides whether anything changed, by its own input hash, against
// the commit of req.Previous. A commit that it made but failed to report
// (status 1 after the ref moved) does not count: the next compose makes it again.
// With a zero req.Timestamp the commit has the time at which it was made.
func (r *RPMOSTree) Compose(ctx context.Context, req materialize.ComposeRequest, t *materialize.Task) (materialize.Commit, error) {
	tf, err := LoadTreefile(r.cfg)
	if err != nil {
		return materialize.Commit{}, err
	}
	program, err := r.program()
	if err != nil {
		return materialize.Commit{}, err
	}
	t.Phase("waiting for other composes", 0)
	unlock, err := lockCache(ctx, r.cfg.Cache, t)
	if err != nil {
		return materialize.Commit{}, err
	}
	defer unlock()
	if err := removeLeftovers(r.cfg.Cache, t); err != nil {
		return materialize.Commit{}, err
	}
	if err := r.store.ensure(ctx, r.cfg.Repo, "archive"); err != nil {
		return materialize.Commit{}, err
	}
	run, err := r.prepare(ctx, req, tf, program, t)
	if err != nil {
		return materialize.Commit{}, err
	}
	if err := r.run(ctx, run, t); err != nil {
		return materialize.Commit{}, err
	}
	return r.result(ctx, req, run, t)
}

// program finds the executable to start: rpm-ostree, or podman.
func (r *RPMOSTree) program() (string, error) {
	name, hint := r.cfg.Program, "install rpm-ostree, name a container image that has it, or use the dnf engine"
	if r.cfg.Container != "" {
		name, hint = "podman", "install podman, or use the dnf engine"
	} else if name == "" {
		name = "rpm-ostree"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", materialize.Fail(materialize.ClassTool, "compose", hint, err)
	}
	return path, nil
}

// prepare stages what the run reads and gives its command line.
func (r *RPMOSTree) prepare(ctx context.Context, req materialize.ComposeRequest, tf *Treefile, program string, t *materialize.Task) (invocation, error) {
	t.Phase("preparing", 0.01)
	s := staging{cfg: r.cfg, dir: filepath.Join(t.Scratch, "compose"), task: t}
	if err := s.write(ctx, req, tf); err != nil {
		return invocation{}, fmt.Errorf("prepare compose: %w", err)
	}
	locks, err := lockfiles(r.cfg)
	if err != nil {
		return invocation{}, err
	}
	if s.lockfile != "" {
		locks = append(locks, s.lockfile) // last: it has to win
	}
	run := invocation{
		program: program, image: r.cfg.Container, container: containerName(t),
		repo: r.cfg.Repo, cache: r.cfg.Cache, extra: r.cfg.RPMOSTree,
		manifest: s.manifest, metadata: s.metadata, locks: locks,
		stamp: s.file("changed"), composeJSON: s.file("compose.json"), lockOut: s.file("lock.json"),
		version: req.Version, parent: req.Parent, force: req.Force || req.Previous == nil,
		epoch: req.Timestamp,
	}
	if p := req.Previous; p != nil {
		run.previousVersion = p.Version
		run.previousCommit, run.previousHash, run.force = r.previous(p, run.force)
	}
	if run.image != "" {
		run.mounts = mounts(r.cfg, tf, t.Scratch)
	}
	return run, nil
}

// previous says what to compare with: the previous commit where the repository
// has it, else its recorded input hash; without either nothing can be compared.
func (r *RPMOSTree) previous(p *materialize.Previous, force bool) (commit, hash string, forced bool) {
	if _, err := ReadCommit(r.cfg.Repo, p.Commit); err == nil {
		return p.Commit, "", force
	}
	return "", p.InputHash, force || p.InputHash == ""
}

// result reads what the run wrote. The composejson file was not there before,
// so that its absence means that nothing changed.
func (r *RPMOSTree) result(ctx context.Context, req materialize.ComposeRequest, run invocation, t *materialize.Task) (materialize.Commit, error) {
	data, err := os.ReadFile(run.composeJSON)
	if errors.Is(err, fs.ErrNotExist) && req.Previous != nil && !run.force {
		p := req.Previous
		t.Logf("nothing changed since %s", p.Version)
		return materialize.Commit{Unchanged: true, Checksum: p.Commit, Version: p.Version, InputHash: p.InputHash}, nil
	}
	if err != nil {
		return materialize.Commit{}, fmt.Errorf("compose: rpm-ostree left no result: %w", err)
	}
	c, err := readResult(r.cfg.Repo, data)
	if err != nil {
		return materialize.Commit{}, fmt.Errorf("compose: %w", err)
	}
	lock, err := os.ReadFile(run.lockOut)
	if err != nil {
		return materialize.Commit{}, fmt.Errorf("compose: %w", err)
	}
	if c.Lockfile, err = stripDigests(lock); err != nil {
		return materialize.Commit{}, fmt.Errorf("compose: %w", err)
	}
	if p := req.Previous; p != nil && p.Packages != nil {
		c.PkgDiff = PkgDiff(p.Packages, c.Packages)
	}
	t.Phase("importing commit", 0.95)
	if err := r.store.Pull(ctx, r.cfg.Repo, c.Checksum, t); err != nil {
		return materialize.Commit{}, err
	}
	c.Repo = r.store.Repo()
	return c, nil
}
