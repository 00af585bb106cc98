package compose

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"cosafs/materialize"
)

// commitID is an OSTree checksum: sha256 in hex.
var commitID = regexp.MustCompile(`^[0-9a-f]{64}$`)

// zlibLevel is cosa's: the default, 6, takes twice the time for 3 % less.
const zlibLevel = "2"

// OSTree keeps commits in the bare-user repository cfg.BareRepo, which is made
// when it is first needed. The archive-mode repository cfg.Repo, cosa's
// tmp/repo, holds the compressed form of what was exported, so that the next
// export compresses new objects only, and artifacts whose file was deleted are
// computed of it. Without such, losing it costs time, nothing else.
//
// Both keep ostree's fsync on: an object that a power failure cut short would
// pass for a good one ever after, and a commit of a whole OS is synced once,
// which costs a tenth of a second.
type OSTree struct {
	cfg     Config
	exports sync.Map // commit and refs -> exported
}

// NewOSTree gives the store of a configuration. It touches nothing.
func NewOSTree(cfg Config) *OSTree { return &OSTree{cfg: cfg.WithDefaults()} }

var _ materialize.CommitStore = (*OSTree)(nil)

// Repo is the bare-user repository's path.
func (o *OSTree) Repo() string { return o.cfg.BareRepo }

// Has says whether the whole commit is there. It starts no process.
func (o *OSTree) Has(_ context.Context, commit string) bool {
	ok, err := hasCommit(o.cfg.BareRepo, commit)
	return ok && err == nil
}

// Pull brings a commit in from another repository on this machine, of any mode.
// Objects are verified as they come.
func (o *OSTree) Pull(ctx context.Context, repo, commit string, t *materialize.Task) error {
	if err := o.ensure(ctx, o.cfg.BareRepo, "bare-user"); err != nil {
		return err
	}
	return o.pull(ctx, t, repo, o.cfg.BareRepo, commit, "--untrusted")
}

// pull copies a commit from repository to repository.
func (o *OSTree) pull(ctx context.Context, t *materialize.Task, from, to, commit string, args ...string) error {
	args = append(append([]string{"pull-local", "--repo=" + to}, args...), from, commit)
	cmd := materialize.CommandContext(ctx, t, "ostree", args...)
	var said bytes.Buffer
	cmd.Stderr = teeLog(t, &said)
	cmd.Stdout = cmd.Stderr // one writer for both: os/exec then uses one pipe
	if err := cmd.Run(); err != nil {
		return ostreeFailure(ctx, "pull "+commit, said.String(), err)
	}
	return nil
}

// Cat reads a file of a commit. fs.ErrNotExist if the commit has none there.
func (o *OSTree) Cat(ctx context.Context, commit, path string) ([]byte, error) {
	has, err := hasCommit(o.cfg.BareRepo, commit)
	if err == nil && !has {
		err = fmt.Errorf("commit: %w", fs.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s of commit %s: %w", path, commit, err)
	}
	out, err := o.run(ctx, "cat", "--repo="+o.cfg.BareRepo, commit, path)
	if err != nil && strings.Contains(err.Error(), "No such file or directory") {
		return nil, fmt.Errorf("read %s of commit %s: %w", path, commit, fs.ErrNotExist)
	}
	return []byte(out), err
}

// SetRef names a commit, moving a ref that exists.
func (o *OSTree) SetRef(ctx context.Context, ref, commit string) error {
	_, err := o.run(ctx, "refs", "--repo="+o.cfg.BareRepo, "--force", "--create="+ref, commit)
	return err
}

// DeleteRef takes a name away, in both repositories; one that is missing is fine.
func (o *OSTree) DeleteRef(ctx context.Context, ref string) error {
	for _, repo := range o.repos() {
		if _, err := o.run(ctx, "refs", "--repo="+repo, "--delete", ref); err != nil {
			return err
		}
	}
	return nil
}

// Prune deletes what no ref reaches, in both repositories.
func (o *OSTree) Prune(ctx context.Context) error {
	for _, repo := range o.repos() {
		if _, err := o.run(ctx, "prune", "--repo="+repo, "--refs-only"); err != nil {
			return err
		}
	}
	return nil
}

// repos gives those of the two repositories that exist.
func (o *OSTree) repos() []string {
	var out []string
	for _, repo := range []string{o.cfg.BareRepo, o.cfg.Repo} {
		if _, err := os.Stat(filepath.Join(repo, "config")); err == nil {
			out = append(out, repo)
		}
	}
	return out
}

// ensure makes a repository unless it is there. Making one twice at once is
// harmless: ostree leaves what exists.
func (o *OSTree) ensure(ctx context.Context, repo, mode string) error {
	if _, err := os.Stat(filepath.Join(repo, "config")); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(repo), 0o755); err != nil {
		return fmt.Errorf("make OSTree repository: %w", err)
	}
	if _, err := o.run(ctx, "init", "--repo="+repo, "--mode="+mode); err != nil {
		return err
	}
	if mode != "archive" {
		return nil
	}
	_, err := o.run(ctx, "config", "--repo="+repo, "set", "archive.zlib-level", zlibLevel)
	return err
}

// run runs ostree outside of any job, for things that take no time.
func (o *OSTree) run(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "ostree", args...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return "", ostreeFailure(ctx, args[0], said.String(), err)
	}
	return out.String(), nil
}

// ostreeFailure says why ostree failed.
func ostreeFailure(ctx context.Context, op, said string, err error) error {
	op = "ostree " + op
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", op, context.Cause(ctx))
	}
	if errors.Is(err, exec.ErrNotFound) {
		return materialize.Fail(materialize.ClassTool, op, "install ostree: apt install ostree, or dnf install ostree", err)
	}
	said = strings.TrimSpace(strings.TrimPrefix(lastLine(said), "error: "))
	err = fmt.Errorf("%s: %w", said, err)
	if noSpace(said) {
		return materialize.Fail(materialize.ClassSpace, op, "free some space and try again", err)
	}
	if strings.Contains(said, "Corrupted") || strings.Contains(said, "corrupted") {
		err = fmt.Errorf("%w: %w", materialize.ErrCorrupt, err)
	}
	return materialize.Fail(materialize.ClassInternal, op, "", err)
}

// lastLine gives the last line that has something on it.
func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// fullDisk are the messages of the kernel, dnf, ostree and rpm ("installing
// package X needs 20MB more space on the / filesystem") about a full disk.
var fullDisk = regexp.MustCompile(`No space left on device|Disk quota exceeded|more space needed on the|min-free-space|` +
	`needs \d+[KM]B (more space )?on the`)

// noSpace recognises that a program met a full disk.
func noSpace(text string) bool { return fullDisk.MatchString(text) }
