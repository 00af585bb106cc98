package tinyos

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/google/rpmpack"
)

// requiresPre marks a requirement that has to be installed before the package,
// not only along with it (RPMSENSE_SCRIPT_PRE).
const requiresPre = 1 << 9

// A Package is one RPM to be made.
type Package struct {
	Name, Version, Release string
	Arch                   string // empty = noarch
	Files                  Tree
	Requires               []string
	// Post is a %post scriptlet, run by /bin/sh.
	Post string
}

// file is the RPM's base name.
func (p Package) file() string {
	return fmt.Sprintf("%s-%s-%s.%s.rpm", p.Name, p.Version, p.Release, p.arch())
}

func (p Package) arch() string {
	if p.Arch == "" {
		return "noarch"
	}
	return p.Arch
}

// rpm gives the bytes of the RPM.
func (p Package) rpm() ([]byte, error) {
	r, err := rpmpack.NewRPM(rpmpack.RPMMetaData{
		Name: p.Name, Version: p.Version, Release: p.Release, Arch: p.arch(),
		Epoch: rpmpack.NoEpoch, Summary: p.Name + " of tinyos", Description: p.Name, Licence: "various",
		BuildHost: "reproducible", BuildTime: epoch(), Compressor: "zstd:3",
		Requires: p.relations(),
	})
	if err != nil {
		return nil, fmt.Errorf("tinyos: %s: %w", p.Name, err)
	}
	for _, name := range p.Files.names() {
		r.AddFile(rpmFile(name, p.Files[name]))
	}
	if p.Post != "" {
		r.AddPostin(p.Post)
	}
	// rpm refuses a source-less package in some places; all real ones have one.
	r.AddCustomTag(1044, rpmpack.EntryString(fmt.Sprintf("%s-%s-%s.src.rpm", p.Name, p.Version, p.Release)))
	var b bytes.Buffer
	if err := r.Write(&b); err != nil {
		return nil, fmt.Errorf("tinyos: %s: %w", p.Name, err)
	}
	return b.Bytes(), nil
}

// relations gives what the package requires. Everything needs the file system
// package first: otherwise rpm makes real directories where it has links.
func (p Package) relations() rpmpack.Relations {
	var rel rpmpack.Relations
	if p.Name != filesystemName {
		rel = append(rel, &rpmpack.Relation{Name: filesystemName, Sense: requiresPre})
	}
	for _, name := range p.Requires {
		rel = append(rel, &rpmpack.Relation{Name: name, Sense: requiresPre})
	}
	return rel
}

// rpmFile translates a file; RPM keeps the mode bits of stat(2).
func rpmFile(name string, f File) rpmpack.RPMFile {
	mode := uint(f.Mode.Perm())
	switch {
	case f.Mode.IsDir():
		mode |= 0o40000
	case f.Mode&fs.ModeSymlink != 0:
		mode |= 0o120000
	default:
		mode |= 0o100000
	}
	if f.Mode&fs.ModeSticky != 0 {
		mode |= 0o1000
	}
	return rpmpack.RPMFile{
		Name: name, Body: f.Body, Mode: mode, Owner: "root", Group: "root", MTime: uint32(epoch().Unix()),
	}
}

// Publish puts packages into the repository below dir and makes its metadata
// anew. Packages of the same name stay beside each other, as in real ones.
func Publish(ctx context.Context, dir string, pkgs ...Package) error {
	repo := filepath.Join(dir, "repo")
	if err := os.MkdirAll(repo, 0o755); err != nil {
		return fmt.Errorf("tinyos: %w", err)
	}
	for _, p := range pkgs {
		b, err := p.rpm()
		if err != nil {
			return err
		}
		file := filepath.Join(repo, p.file())
		if err := os.RemoveAll(file); err != nil { // a clone's file is the original's as well
			return fmt.Errorf("tinyos: %w", err)
		}
		if err := os.WriteFile(file, b, 0o644); err != nil {
			return fmt.Errorf("tinyos: %w", err)
		}
	}
	return createrepo(ctx, repo)
}

// Withdraw takes packages, all versions of each, out of the repository below dir.
func Withdraw(ctx context.Context, dir string, names ...string) error {
	repo := filepath.Join(dir, "repo")
	found, err := filepath.Glob(filepath.Join(repo, "*.rpm"))
	if err != nil {
		return fmt.Errorf("tinyos: %w", err)
	}
	for _, file := range found {
		match := func(name string) bool {
			ok, err := filepath.Match(name+"-*-*.rpm", filepath.Base(file))
			return err == nil && ok
		}
		if !slices.ContainsFunc(names, match) {
			continue
		}
		if err := os.Remove(file); err != nil {
			return fmt.Errorf("tinyos: %w", err)
		}
	}
	return createrepo(ctx, repo)
}

// createrepo makes the metadata. Times of files get into it, so they are set.
func createrepo(ctx context.Context, repo string) error {
	found, err := filepath.Glob(filepath.Join(repo, "*.rpm"))
	if err != nil {
		return fmt.Errorf("tinyos: %w", err)
	}
	for _, file := range found {
		if err := os.Chtimes(file, epoch(), epoch()); err != nil {
			return fmt.Errorf("tinyos: %w", err)
		}
	}
	sde := strconv.FormatInt(epoch().Unix(), 10)
	_, err = run(ctx, repo, []string{"SOURCE_DATE_EPOCH=" + sde}, "createrepo_c", "--quiet", "--no-database",
		"--revision", sde, "--set-timestamp-to-revision", ".")
	return err
}
