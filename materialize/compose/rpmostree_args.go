package compose

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"cosafs/materialize"
)

// An invocation is one run of `rpm-ostree compose tree`. Paths are absolute and
// the same inside and outside of a container.
type invocation struct {
	program   string // rpm-ostree, or podman
	image     string // "" runs on this machine
	container string // name of the container, "" leaves it to podman
	mounts    []string

	manifest, repo, cache       string
	stamp, composeJSON, lockOut string // files that the run writes
	metadata                    string // JSON object to add to the commit
	locks                       []string
	version                     string // "" = automatic
	parent                      string // "" = none
	previousVersion             string
	previousCommit              string // or previousHash, or neither
	previousHash                string
	force                       bool
	epoch                       time.Time // SOURCE_DATE_EPOCH unless zero
	extra                       []string
}

// argv gives the command line: cosa's own with today's flag names (2025.6 and
// 2026.2 take the same). The shell sets the umask, which decides the modes of
// what scripts make; podman's containers have 0022 already.
func (v invocation) argv() []string {
	if v.image == "" {
		return slices.Concat([]string{"/bin/sh", "-c", `umask 0022; exec "$0" "$@"`, v.program}, v.composeTree())
	}
	// --init, because a pid 1 without handlers ignores SIGTERM.
	args := []string{v.program, "run", "--rm", "--init", "--privileged", "--security-opt=label=disable"}
	if v.container != "" {
		args = append(args, "--name="+v.container)
	}
	for _, m := range v.mounts {
		args = append(args, "--volume="+m+":"+m)
	}
	for _, e := range v.env() {
		args = append(args, "--env="+e)
	}
	return slices.Concat(args, []string{v.image, "rpm-ostree"}, v.composeTree())
}

// env is what the environment needs beside what it has.
func (v invocation) env() []string {
	if v.epoch.IsZero() {
		return nil
	}
	return []string{"SOURCE_DATE_EPOCH=" + strconv.FormatInt(v.epoch.Unix(), 10)}
}

// composeTree gives rpm-ostree's arguments.
func (v invocation) composeTree() []string {
	args := []string{
		"compose", "tree", "--unified-core",
		"--repo=" + v.repo, "--cachedir=" + v.cache,
		"--touch-if-changed=" + v.stamp, "--write-composejson-to=" + v.composeJSON,
		"--ex-write-lockfile-to=" + v.lockOut,
	}
	for _, lock := range v.locks {
		args = append(args, "--ex-lockfile="+lock)
	}
	if v.parent == "" {
		args = append(args, "--no-parent")
	}
	if v.force {
		args = append(args, "--force-nocache")
	}
	for _, option := range []struct{ name, value string }{
		{"--parent=", v.parent},
		{"--previous-commit=", v.previousCommit},
		{"--previous-inputhash=", v.previousHash},
		{"--previous-version=", v.previousVersion},
		{"--add-metadata-string=version=", v.version},
		{"--add-metadata-from-json=", v.metadata},
	} {
		if option.value != "" {
			args = append(args, option.name+option.value)
		}
	}
	return append(append(args, v.extra...), v.manifest)
}

// containerName names the job's container, so that it can be removed when
// podman itself was killed.
func containerName(t *materialize.Task) string {
	if t.Job == "" {
		return ""
	}
	return "cosafs-compose-" + t.Job
}

// mounts gives the directories that a container has to see: all that the
// configuration may refer to, without those that lie in another one. Links that
// lead out of the working directory, as src/config may, are followed.
func mounts(cfg Config, tf *Treefile, scratch string) []string {
	dirs := []string{cfg.Workdir, scratch, cfg.Dir, filepath.Dir(cfg.Manifest), cfg.Repos, cfg.Overrides, cfg.Cache, cfg.Repo}
	for _, file := range tf.Files {
		dirs = append(dirs, filepath.Dir(file))
	}
	if files, err := repoFiles(filepath.Dir(cfg.Manifest), cfg.Repos); err == nil { // staging reported errors already
		for _, file := range files {
			for _, repo := range file.repos {
				if dir, ok := tf.localRepo(repo); ok && tf.wanted(repo.id) {
					dirs = append(dirs, dir)
				}
			}
		}
	}
	var found []string
	for _, dir := range dirs {
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			found = append(found, real)
		}
		// What lies below the working directory is seen through its mount.
		if _, err := os.Stat(dir); err == nil && !under(dir, cfg.Workdir) {
			found = append(found, dir)
		}
	}
	return outermost(found)
}

// outermost drops paths that lie below others.
func outermost(paths []string) []string {
	slices.Sort(paths)
	var out []string
	for _, p := range slices.Compact(paths) {
		if !slices.ContainsFunc(out, func(o string) bool { return under(p, o) }) {
			out = append(out, p)
		}
	}
	return out
}
