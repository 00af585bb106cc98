package compose

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"cosafs/materialize"
)

// A solution is what dnf chose.
type solution struct {
	Packages []chosen `json:"packages"` // sorted by name and architecture
	Repos    []struct {
		ID        string `json:"id"`
		Generated int64  `json:"generated"` // seconds since 1970
	} `json:"repos"`
}

// A chosen package.
type chosen struct {
	Name      string `json:"name"`
	Epoch     string `json:"epoch"`
	Version   string `json:"version"`
	Release   string `json:"release"`
	Arch      string `json:"arch"`
	Checksum  string `json:"checksum"` // of the RPM: type:hex
	SourceRPM string `json:"sourcerpm"`
	Built     int64  `json:"built"` // seconds since 1970
}

// evra is [epoch:]version-release.arch.
func (p chosen) evra() string {
	epoch := ""
	if p.Epoch != "0" {
		epoch = p.Epoch + ":"
	}
	return fmt.Sprintf("%s%s-%s.%s", epoch, p.Version, p.Release, p.Arch)
}

func (p chosen) nevra() string { return p.Name + "-" + p.evra() }

// packages gives the list that is recorded.
func (s solution) packages() []materialize.Package {
	out := make([]materialize.Package, len(s.Packages))
	for i, p := range s.Packages {
		out[i] = materialize.Package{Name: p.Name, Epoch: p.Epoch, Version: p.Version, Release: p.Release, Arch: p.Arch}
	}
	return out
}

// commit commits the tree and describes the commit.
func (c *composition) commit(ctx context.Context) (materialize.Commit, error) {
	c.task.Phase("commit", 0.8)
	if err := c.store.ensure(ctx, c.cfg.BareRepo, "bare-user"); err != nil {
		return materialize.Commit{}, err
	}
	when := c.req.Timestamp
	if when.IsZero() {
		when = c.contentTime()
	}
	id, stats, err := c.ostreeCommit(ctx, when)
	if err != nil {
		return materialize.Commit{}, err
	}
	object, err := ReadCommit(c.cfg.BareRepo, id)
	if err != nil {
		return materialize.Commit{}, err
	}
	if p := c.req.Previous; p != nil && p.ContentChecksum == object.ContentChecksum && c.mayKeep(p) {
		return c.unchanged("inputs differ from the previous commit's, contents don't"), nil
	}
	out := materialize.Commit{
		Checksum: id, ContentChecksum: object.ContentChecksum, Version: c.version, Ref: c.tf.Ref, InputHash: c.hash,
		Timestamp: object.Timestamp, Packages: c.solution.packages(), Stats: stats, Object: object.Raw, Repo: c.cfg.BareRepo,
	}
	if c.req.Previous != nil {
		out.PkgDiff = PkgDiff(c.req.Previous.Packages, out.Packages)
	}
	if out.CommitMeta, err = object.CommitMeta(); err != nil {
		return materialize.Commit{}, err
	}
	out.Lockfile, err = c.solution.lockfile(when)
	return out, err
}

// ostreeCommit commits the tree without a ref: who asked for it names it.
func (c *composition) ostreeCommit(ctx context.Context, when time.Time) (id string, stats map[string]int64, err error) {
	parent := c.req.Parent
	if parent == "" {
		parent = "none"
	}
	args := []string{
		// Bindings would forbid to pull the commit by the names that it gets later.
		"commit", "--repo=" + c.cfg.BareRepo, "--orphan", "--no-bindings", "--table-output", "--tree=dir=" + c.root,
		"--parent=" + parent, "--timestamp=@" + strconv.FormatInt(when.Unix(), 10),
	}
	if !c.tf.Container {
		args = append(args, "--bootable")
	}
	if hostLabels() {
		args = append(args, "--no-xattrs")
		c.task.Logf("file capabilities are left out: this machine's SELinux labels would get into the commit with them")
	}
	metadata, err := c.metadata()
	if err != nil {
		return "", nil, err
	}
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		args = append(args, "--add-metadata="+key+"="+metadata[key])
	}
	cmd := materialize.CommandContext(ctx, c.task, "ostree", args...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, teeLog(c.task, &said)
	if err := cmd.Run(); err != nil {
		return "", nil, ostreeFailure(ctx, "commit", said.String(), err)
	}
	return readTable(out.String())
}

// hostLabels says whether files on this machine have SELinux labels.
func hostLabels() bool {
	_, err := os.Stat("/sys/fs/selinux/enforce")
	return err == nil
}

// tableLine is a line of `ostree commit --table-output`.
var tableLine = regexp.MustCompile(`(?m)^([A-Z][A-Za-z ]+): ([0-9a-f]+)$`)

// readTable gives the commit id and the counters under rpm-ostree's names.
func readTable(text string) (id string, stats map[string]int64, err error) {
	names := map[string]string{
		"Metadata Total": "ostree-n-metadata-total", "Metadata Written": "ostree-n-metadata-written",
		"Content Total": "ostree-n-content-total", "Content Written": "ostree-n-content-written",
		"Content Cache Hits": "ostree-n-cache-hits", "Content Bytes Written": "ostree-content-bytes-written",
	}
	stats = map[string]int64{}
	for _, m := range tableLine.FindAllStringSubmatch(text, -1) {
		if m[1] == "Commit" {
			id = m[2]
		}
		if n, err := strconv.ParseInt(m[2], 10, 64); err == nil && names[m[1]] != "" {
			stats[names[m[1]]] = n
		}
	}
	if !commitID.MatchString(id) {
		return "", nil, fmt.Errorf("compose: ostree commit told no commit: %q", text)
	}
	return id, stats, nil
}

// metadata gives the commit's metadata as GVariant text, by key.
func (c *composition) metadata() (map[string]string, error) {
	all := map[string]any{}
	maps.Copy(all, c.tf.AddCommitMetadata)
	for key, value := range c.req.Metadata {
		all[key] = value
	}
	if c.version != "" {
		all["version"] = c.version
	}
	all["rpmostree.inputhash"] = c.hash
	out := map[string]string{}
	for key, value := range all {
		text, err := variantText(value)
		if err != nil {
			file, line := c.tf.Where("add-commit-metadata")
			return nil, materialize.Fail(materialize.ClassConfig, "compose", fmt.Sprintf("edit %s, line %d", file, line),
				fmt.Errorf("add-commit-metadata: %s: %w", key, err))
		}
		out[key] = text
	}
	out["rpmostree.rpmdb.pkglist"] = c.solution.pkglist()
	out["rpmostree.rpmmd-repos"] = c.solution.repolist()
	return out, nil
}

// pkglist is rpmostree.rpmdb.pkglist, a(sssss).
func (s solution) pkglist() string {
	var items []string
	for _, p := range s.Packages {
		var fields []string
		for _, f := range []string{p.Name, p.Epoch, p.Version, p.Release, p.Arch} {
			fields = append(fields, quoteVariant(f))
		}
		items = append(items, "("+strings.Join(fields, ",")+")")
	}
	return "@a(sssss) [" + strings.Join(items, ",") + "]"
}

// repolist is rpmostree.rpmmd-repos, aa{sv}.
func (s solution) repolist() string {
	var items []string
	for _, r := range s.Repos {
		items = append(items, fmt.Sprintf("{'id':<%s>,'timestamp':<uint64 %d>}", quoteVariant(r.ID), r.Generated))
	}
	return "@aa{sv} [" + strings.Join(items, ",") + "]"
}

// lockfile gives manifest-lock.generated.<arch>.json: what was installed, for a
// later build of the same. Digests are left out as in cosa: a package that was
// signed again is the same package.
func (s solution) lockfile(when time.Time) ([]byte, error) {
	type entry struct {
		EVRA     string            `json:"evra"`
		Metadata map[string]string `json:"metadata"`
	}
	type stamp struct {
		Generated string `json:"generated"`
	}
	packages, repos := map[string]entry{}, map[string]stamp{}
	for _, p := range s.Packages {
		packages[p.Name] = entry{p.evra(), map[string]string{"sourcerpm": p.SourceRPM}}
	}
	for _, r := range s.Repos {
		repos[r.ID] = stamp{time.Unix(r.Generated, 0).UTC().Format(time.RFC3339)}
	}
	b, err := json.MarshalIndent(map[string]any{
		"packages": packages,
		"metadata": map[string]any{"generated": when.UTC().Format(time.RFC3339), "rpmmd_repos": repos},
	}, "", "  ")
	return append(b, '\n'), err
}
