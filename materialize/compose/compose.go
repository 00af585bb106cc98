// Package compose turns a configuration, rpm-ostree's manifest with the files
// beside it, into an OSTree commit.
//
// Two engines implement [materialize.Composer] and give the same result: the
// rpm-ostree engine runs `rpm-ostree compose tree` on this machine or in a
// container image, the dnf engine does the same work with dnf and ostree where
// rpm-ostree is missing. Both read the manifest through [LoadTreefile] and hash
// what a commit is made from in the same way, so that "nothing changed" means
// the same whichever of them runs.
package compose

import "path/filepath"

// A Config says where the configuration lies and where composing may write.
// Paths are absolute. Only Workdir and Arch are needed: [Config.WithDefaults]
// fills in the rest with the places of a coreos-assembler working directory.
type Config struct {
	Workdir   string // cosa's working directory
	Arch      string // RPM basearch, such as x86_64
	Dir       string // the configuration: <workdir>/src/config
	Manifest  string // <dir>/manifest.yaml
	Repos     string // extra *.repo files: <workdir>/src/yumrepos; it may be missing
	Overrides string // rpm/ and rootfs/ below it: <workdir>/overrides
	Cache     string // the engines' caches: <workdir>/cache
	Repo      string // archive-mode OSTree repository: <workdir>/tmp/repo
	BareRepo  string // bare-user OSTree repository: <workdir>/cache/cosafs/repo

	// Versionary says that versions come from the script <dir>/versionary, which
	// makes it one of the inputs.
	Versionary bool

	// Program is the rpm-ostree executable; "" looks for rpm-ostree in PATH.
	Program string
	// RPMOSTree are further arguments of `rpm-ostree compose tree`
	// (cosa's COSA_RPMOSTREE_ARGS).
	RPMOSTree []string
	// Container is an image that holds rpm-ostree; it is run with podman. "" runs
	// the program of this machine.
	Container string
}

// WithDefaults fills in every path that is not set.
func (c Config) WithDefaults() Config {
	set := func(field *string, parts ...string) {
		if *field == "" {
			*field = filepath.Join(parts...)
		}
	}
	set(&c.Dir, c.Workdir, "src", "config")
	set(&c.Manifest, c.Dir, "manifest.yaml")
	set(&c.Repos, c.Workdir, "src", "yumrepos")
	set(&c.Overrides, c.Workdir, "overrides")
	set(&c.Cache, c.Workdir, "cache")
	set(&c.Repo, c.Workdir, "tmp", "repo")
	set(&c.BareRepo, c.Cache, "cosafs", "repo")
	return c
}
