package materialize

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// maxGenVer bounds the search for an id that nobody has.
const maxGenVer = 1000

// chooseID follows cosa build: the commit's version, or <version>-<n> when the
// commit is that of the newest build. A version that another commit holds is
// refused: one name never means two contents. A name whose content can't be
// known (its directory is elsewhere, its meta.json damaged) is passed over.
func (b *building) chooseID(ctx context.Context) (string, int, error) {
	version := b.commit.Version
	if version == "" {
		return "", 0, Fail(ClassConfig, nameBuild,
			"set automatic-version-prefix in manifest.yaml, or give --version", errors.New("the commit has no version"))
	}
	if err := checkID(version); err != nil {
		return "", 0, err
	}
	listed, err := b.Records.List(ctx)
	if err != nil {
		return "", 0, err
	}
	genver := 0
	if p := b.previous; p != nil && p.Commit == b.commit.Checksum {
		genver = p.GenVer + 1
	}
	for range maxGenVer {
		id := version
		if genver > 0 {
			id = fmt.Sprintf("%s-%d", version, genver)
		}
		if free, err := b.free(ctx, id, listed); free || err != nil {
			return id, genver, err
		}
		genver++
	}
	return "", 0, Fail(ClassConfig, nameBuild, anotherVersion, fmt.Errorf("every name from %s on is taken: %w", version, os.ErrExist))
}

const (
	nameBuild      = "name the build"
	anotherVersion = "give another --version"
)

// free says whether the commit may take the id, or the next one has to be tried.
func (b *building) free(ctx context.Context, id string, listed []BuildRef) (bool, error) {
	old, err := b.Records.Build(ctx, id, b.Arch)
	switch {
	case ctx.Err() != nil:
		return false, context.Cause(ctx)
	case isAbsent(err) && !b.isListed(id, listed):
		return true, nil
	case err == nil && old.Commit == b.commit.Checksum:
		return false, nil
	case err == nil:
		return false, Fail(ClassConfig, nameBuild, anotherVersion,
			fmt.Errorf("build %s exists and has another commit, %.12s: %w", id, old.Commit, os.ErrExist))
	case b.opts.Version != "":
		return false, Fail(ClassConfig, nameBuild, anotherVersion,
			fmt.Errorf("build %s exists and can't be looked at (%w): %w", id, err, os.ErrExist))
	}
	return false, nil
}

func (b *building) isListed(id string, listed []BuildRef) bool {
	return slices.ContainsFunc(listed, func(r BuildRef) bool { return r.ID == id && slices.Contains(r.Arches, b.Arch) })
}

// checkID refuses a version that can't be the name of a build's directory, or
// that would hide one of the names that stand beside the builds.
func checkID(version string) error {
	reserved := []string{Next, "latest", "builds.json"}
	odd := func(r rune) bool { return r <= ' ' || r == '/' || r == 0x7f }
	if len(version) > 100 || strings.HasPrefix(version, ".") || slices.Contains(reserved, version) || strings.ContainsFunc(version, odd) {
		return Fail(ClassConfig, nameBuild, "give a --version such as 41.20250102.0",
			fmt.Errorf("%q can't be the name of a build: %w", version, os.ErrInvalid))
	}
	return nil
}
