package materialize

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A ConfigDir is where the configuration lies.
type ConfigDir struct {
	Dir       string // src/config
	GitDir    string // src/config-git where it exists; "" = Dir
	Overrides string // overrides
	Variant   string // cosa init --variant; "" = none
}

// configTar is the name cosa gives the configuration's archive.
const configTar = "coreos-assembler-config.tar.gz"

// provenance says where the configuration came from. The zero value is a
// configuration that is not in git.
type provenance struct {
	commit, origin, branch, rev string
	dirty                       bool
	time                        time.Time // of HEAD; zero without git
	dir                         string
}

// provenance asks git. A directory that is not a git work tree is no error.
func (c ConfigDir) provenance(ctx context.Context) (provenance, error) {
	dir := c.Dir
	if c.GitDir != "" {
		dir = c.GitDir
	}
	p := provenance{dir: dir}
	commit, err := git(ctx, dir, "rev-parse", "HEAD")
	if err != nil {
		if ctx.Err() != nil {
			return provenance{}, ctx.Err()
		}
		return provenance{}, nil // not in git, or git not installed: nothing to say
	}
	p.commit = commit
	p.rev, _ = git(ctx, dir, "describe", "--tags", "--always", "--abbrev=42") // the commit stands in without it
	p.origin, _ = git(ctx, dir, "config", "--get", "remote.origin.url")       // a config without a remote is normal
	p.branch, _ = git(ctx, dir, "rev-parse", "--abbrev-ref", "HEAD")
	status, err := git(ctx, dir, "status", "--porcelain", "--untracked-files=no")
	p.dirty = err != nil || status != ""
	if s, err := git(ctx, dir, "log", "-1", "--format=%ct"); err == nil {
		if sec, err := strconv.ParseInt(s, 10, 64); err == nil {
			p.time = time.Unix(sec, 0).UTC()
		}
	}
	return p, nil
}

func git(ctx context.Context, dir string, args ...string) (string, error) {
	// The config may belong to another user than the one who builds.
	cmd := exec.CommandContext(ctx, "git", append([]string{"-c", "safe.directory=*", "-C", dir}, args...)...)
	out, err := cmd.Output()
	return strings.TrimSpace(string(out)), err
}

// metadata is cosa's commit-input metadata.
func (p provenance) metadata(arch string) map[string]string {
	md := map[string]string{"coreos-assembler.basearch": arch}
	if p.commit != "" {
		md["coreos-assembler.config-gitrev"] = p.rev
		md["coreos-assembler.config-dirty"] = strconv.FormatBool(p.dirty)
	}
	return md
}

// gitInfo is the schema's git object: commit and origin are required, a branch
// must have three letters.
type gitInfo struct {
	Commit string `json:"commit"`
	Origin string `json:"origin"`
	Branch string `json:"branch,omitempty"`
	Dirty  string `json:"dirty"`
}

// git gives the schema's git object, nil without git.
func (p provenance) git() json.RawMessage {
	if p.commit == "" {
		return nil
	}
	b, err := json.Marshal(p.info())
	if err != nil {
		return nil // a struct of strings always marshals
	}
	return b
}

func (p provenance) info() gitInfo {
	g := gitInfo{Commit: p.commit, Origin: p.origin, Dirty: strconv.FormatBool(p.dirty)}
	if g.Origin == "" {
		g.Origin = "file://" + p.dir
	}
	if len(p.branch) >= 3 {
		g.Branch = p.branch
	}
	return g
}

// archive writes coreos-assembler-config.tar.gz and its git JSON into dir. The
// archive holds no version control files and is the same for the same content.
func (c ConfigDir) archive(ctx context.Context, p provenance, dir string) error {
	out := filepath.Join(dir, configTar)
	mtime := fmt.Sprintf("--mtime=@%d", max(p.time.Unix(), 0))
	tar := exec.CommandContext(ctx, "tar", "--create", "--file=-", "--directory="+c.Dir, "--exclude-vcs",
		"--sort=name", "--owner=0", "--group=0", "--numeric-owner", mtime, ".")
	var plain, stderr bytes.Buffer
	tar.Stdout, tar.Stderr = &plain, &stderr
	if err := tar.Run(); err != nil {
		return fmt.Errorf("archive the configuration: %w: %s", err, strings.TrimSpace(stderr.String()))
	}
	if err := writeGzip(out, plain.Bytes()); err != nil {
		return err
	}
	return c.writeConfigGit(p, out)
}

// configGit is coreos-assembler-config-git.json; the size is a string in cosa's.
type configGit struct {
	Date string     `json:"date"`
	Git  *gitInfo   `json:"git,omitempty"`
	File configFile `json:"file"`
}

type configFile struct {
	Checksum     string `json:"checksum"`
	ChecksumType string `json:"checksum_type"`
	Format       string `json:"format"`
	Name         string `json:"name"`
	Size         string `json:"size"`
}

func (c ConfigDir) writeConfigGit(p provenance, archive string) error {
	b, err := os.ReadFile(archive)
	if err != nil {
		return err
	}
	doc := configGit{
		Date: p.date(),
		File: configFile{hexSHA256(b), "sha256", "tar.gz", configTar, strconv.Itoa(len(b))},
	}
	if p.commit != "" {
		info := p.info()
		doc.Git = &info
	}
	out, err := json.MarshalIndent(doc, "", "    ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(filepath.Dir(archive), "coreos-assembler-config-git.json"), out, 0o444)
}

// date is HEAD's, so that the same configuration gives the same file.
func (p provenance) date() string {
	t := p.time
	if t.IsZero() {
		t = time.Unix(0, 0)
	}
	return t.UTC().Format(time.RFC3339)
}

// overridesActive says whether overrides/rpm or overrides/rootfs hold anything.
func (c ConfigDir) overridesActive() bool {
	for _, d := range []string{"rpm", "rootfs"} {
		entries, err := os.ReadDir(filepath.Join(c.Overrides, d))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			continue // unreadable overrides fail the compose with a reason of its own
		}
		for _, e := range entries {
			if !strings.HasPrefix(e.Name(), ".") {
				return true
			}
		}
	}
	return false
}

func hexSHA256(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
