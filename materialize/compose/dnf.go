package compose

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"cosafs/materialize"
)

// DNF is the engine for machines without rpm-ostree: dnf installs the
// manifest's packages into an empty tree, which is then given the shape of an
// OSTree deployment and committed. It gives what rpm-ostree gives where both can
// compose a manifest; keys that it can't honour are refused by name.
//
// It needs dnf 4, rpm, ostree, util-linux and root: scriptlets run in a
// chroot of a private mount namespace. It writes below cfg.Cache, the task's
// scratch directory and cfg.BareRepo only.
type DNF struct {
	cfg   Config
	store *OSTree
	now   func() time.Time
}

// NewDNF gives the engine for a configuration. It touches nothing.
func NewDNF(cfg Config) *DNF {
	cfg = cfg.WithDefaults()
	return &DNF{cfg: cfg, store: NewOSTree(cfg), now: time.Now}
}

var _ materialize.Composer = (*DNF)(nil)

// Name is "dnf".
func (d *DNF) Name() string { return "dnf" }

// Inputs is [ReadInputs] of the configuration.
func (d *DNF) Inputs(ctx context.Context) (materialize.Inputs, error) {
	return ReadInputs(ctx, d.cfg)
}

// A composition is one run of the engine.
type composition struct {
	*DNF
	req    materialize.ComposeRequest
	task   *materialize.Task
	tf     *Treefile
	inputs materialize.Inputs

	root     string // the tree that is being made
	solution solution
	hash     string // input hash
	version  string
}

// Compose makes the commit, or finds that nothing changed: by the hash of
// everything that goes in, once packages are chosen but before one is
// installed, else by the checksum of the contents. The latter knows of no
// equal contents when the manifest asks for mutate-os-release, which writes the
// version into them.
//
// An explicit version that is not the previous build's always makes a commit.
// One compose runs at a time on a cache; others wait.
func (d *DNF) Compose(ctx context.Context, req materialize.ComposeRequest, t *materialize.Task) (materialize.Commit, error) {
	c := &composition{DNF: d, req: req, task: t, root: filepath.Join(t.Scratch, "rootfs")}
	if err := c.check(); err != nil {
		return materialize.Commit{}, err
	}
	unlock, err := lockCache(ctx, d.cfg.Cache, t)
	if err != nil {
		return materialize.Commit{}, fmt.Errorf("compose: %w", err)
	}
	defer unlock()
	if c.inputs, err = d.Inputs(ctx); err != nil {
		return materialize.Commit{}, err
	}
	commit, err := c.run(ctx)
	err = errors.Join(err, removeTree(c.root))
	if cause := context.Cause(ctx); cause != nil && err != nil {
		return materialize.Commit{}, fmt.Errorf("compose: %w", cause)
	}
	return commit, err
}

// check refuses what this engine or machine can't do.
func (c *composition) check() error {
	tf, err := LoadTreefile(c.cfg)
	if err != nil {
		return err
	}
	c.tf = tf
	if keys := tf.UnsupportedByDNF(); len(keys) > 0 {
		file, line := tf.Where(keys[0])
		return materialize.Fail(materialize.ClassConfig, "compose",
			fmt.Sprintf("take %s out of %s (line %d), or install rpm-ostree", keys[0], file, line),
			fmt.Errorf("the dnf engine can't honour %s: %w", strings.Join(keys, ", "), errors.ErrUnsupported))
	}
	if os.Geteuid() != 0 {
		return materialize.Fail(materialize.ClassTool, "compose", "run it as root: sudo cosafs ...",
			fmt.Errorf("installing packages into a tree needs root: %w", os.ErrPermission))
	}
	return nil
}

// run solves, and goes on where something changed.
func (c *composition) run(ctx context.Context) (materialize.Commit, error) {
	c.task.Phase("choose packages", 0)
	s, err := c.startDriver(ctx)
	if err != nil {
		return materialize.Commit{}, err
	}
	defer s.stop()
	if c.solution, err = s.solve(); err != nil {
		return materialize.Commit{}, c.explain(err)
	}
	c.hash = c.inputHash()
	c.task.Logf("Input state hash: %s", c.hash)
	if p := c.req.Previous; p != nil && p.InputHash == c.hash && c.mayKeep(p) {
		return c.unchanged("no apparent changes since the previous commit"), nil
	}
	if err := c.chooseVersion(); err != nil {
		return materialize.Commit{}, err
	}
	if err := s.install(c.task.Part(0.1, 0.6)); err != nil {
		return materialize.Commit{}, c.explain(err)
	}
	if err := c.shape(ctx); err != nil {
		return materialize.Commit{}, err
	}
	return c.commit(ctx)
}

// mayKeep says whether the previous build may be the answer.
func (c *composition) mayKeep(p *materialize.Previous) bool {
	return !c.req.Force && (c.req.Version == "" || c.req.Version == p.Version)
}

// unchanged answers with the previous build.
func (c *composition) unchanged(why string) materialize.Commit {
	c.task.Logf("%s", why)
	p := c.req.Previous
	return materialize.Commit{
		Unchanged: true, Checksum: p.Commit, Version: p.Version, InputHash: p.InputHash, Repo: c.cfg.BareRepo,
	}
}

// chooseVersion takes the version asked for, else the one after the previous.
func (c *composition) chooseVersion() error {
	c.version = c.req.Version
	if c.version != "" || c.tf.AutomaticVersionPrefix == "" {
		return nil
	}
	previous := ""
	if c.req.Previous != nil {
		previous = c.req.Previous.Version
	}
	var err error
	c.version, err = NextVersion(c.tf.AutomaticVersionPrefix, c.tf.AutomaticVersionSuffix, previous, c.now())
	return err
}

// inputHash hashes what the commit is made from. Repositories count by the
// packages that were chosen from them, not by their definition or index: the
// same packages from another place make the same tree. The version and the
// commit's other metadata don't count, as in rpm-ostree.
func (c *composition) inputHash() string {
	parts := map[string]any{}
	for name, sum := range c.inputs.Parts {
		if !strings.HasPrefix(name, "repo ") && !strings.HasPrefix(name, "repodata ") {
			parts[name] = sum
		}
	}
	packages := []any{}
	for _, p := range c.solution.Packages {
		packages = append(packages, p.nevra()+" "+p.Checksum)
	}
	return hashOf(map[string]any{
		"engine": "dnf 1", // to be raised when the same inputs give another tree
		"arch":   c.cfg.Arch, "inputs": parts, "packages": packages, "image.json": string(c.req.ImageJSON),
		"platforms.json": string(c.req.PlatformsJSON),
	})
}

// contentTime is the time that files of the tree bear: the newest package's.
// It is not the commit's, so that a commit to the configuration which changes
// nothing in the tree leaves the contents' checksum alone.
func (c *composition) contentTime() time.Time {
	var newest int64
	for _, p := range c.solution.Packages {
		newest = max(newest, p.Built)
	}
	return time.Unix(newest, 0).UTC()
}
