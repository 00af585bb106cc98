// Package storegen makes build trees of any size by hand, as cosa's buildupload
// leaves them in a bucket: for tests of what shows thousands of builds. All that
// it writes is invented.
package storegen

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"cosafs/index"
)

// Name is the OS that the builds are of.
const Name = "example-os"

// A Config says what tree to make.
type Config struct {
	// Dir gets the tree; its builds.json is written last.
	Dir    string
	Builds int
	Arches []index.Arch // none = x86_64
	// Kinds are the artifacts of each build; none = ostree and qemu.
	Kinds []index.Kind
	// Size of each artifact in bytes, as [Pattern] gives them; 0 = 4096.
	Size int64
	// Contents is how many different sets of bytes there are for the artifacts
	// of a kind: build number n, counted from the oldest, has those of n modulo
	// Contents. Equal files are links of one, of which ext4 takes 65,000. 0 = 1.
	Contents int
	// PackageEvery so many builds brings a new set of packages; 0 = 10.
	PackageEvery int
	// Wrote is called for each file that is no link; nil = not. It may be called
	// from several goroutines.
	Wrote func(path string) error
}

// A Tree is what was made.
type Tree struct {
	Config
	IDs []index.BuildID // oldest first
}

// Make makes a tree.
func Make(ctx context.Context, cfg Config) (*Tree, error) {
	t := &Tree{Config: cfg.complete()}
	for n := range cfg.Builds {
		t.IDs = append(t.IDs, ID(n))
	}
	digests, err := t.makeContents()
	if err != nil {
		return nil, fmt.Errorf("make a tree: %w", err)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for n := range t.IDs {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return t.addBuild(n, digests)
		})
	}
	if err := g.Wait(); err != nil {
		return nil, fmt.Errorf("make a tree: %w", err)
	}
	return t, t.List(cfg.Builds)
}

func (c Config) complete() Config {
	if len(c.Arches) == 0 {
		c.Arches = []index.Arch{"x86_64"}
	}
	if len(c.Kinds) == 0 {
		c.Kinds = []index.Kind{"ostree", "qemu"}
	}
	if c.Size == 0 {
		c.Size = 4096
	}
	c.Contents = max(c.Contents, 1)
	if c.PackageEvery == 0 {
		c.PackageEvery = 10
	}
	if c.Wrote == nil {
		c.Wrote = func(string) error { return nil }
	}
	return c
}

// first is when the first build was made; four a day follow.
var first = time.Date(2019, time.January, 1, 0, 0, 0, 0, time.UTC)

// Time is when build number n was made.
func Time(n int) time.Time { return first.Add(time.Duration(n) * 6 * time.Hour) }

// ID names build number n, counted from the oldest.
func ID(n int) index.BuildID {
	return index.BuildID(fmt.Sprintf("%d.%s.dev.%d", 30+n/1000, Time(n).Format("20060102"), n%4))
}

// File gives the path of an artifact of build number n.
func (t *Tree) File(n int, arch index.Arch, kind index.Kind) string {
	name, _ := index.FileName(kind, Name, t.IDs[n], arch) // kinds that Make knew
	return filepath.Join(t.dir(n, arch), name)
}

func (t *Tree) dir(n int, arch index.Arch) string {
	return filepath.Join(t.Dir, string(t.IDs[n]), string(arch))
}

// List writes builds.json with the oldest n builds, newest first: those that were
// published so far.
func (t *Tree) List(n int) error {
	type entry struct {
		ID     index.BuildID `json:"id"`
		Arches []index.Arch  `json:"arches"`
	}
	list := make([]entry, n)
	for i, id := range t.IDs[:n] {
		list[n-1-i] = entry{id, t.Arches}
	}
	data, err := json.MarshalIndent(map[string]any{
		"schema-version": "1.0.0", "timestamp": stamp(Time(n)), "builds": list,
	}, "", "    ")
	if err != nil {
		return fmt.Errorf("builds.json: %w", err)
	}
	return t.replace(filepath.Join(t.Dir, "builds.json"), data)
}

func stamp(at time.Time) string { return at.UTC().Format(time.RFC3339) }

// write makes a new file.
func (t *Tree) write(path string, data []byte) error {
	if err := os.WriteFile(path, data, 0o644); err != nil {
		return err
	}
	return t.Wrote(path)
}

// replace makes a file or replaces it at once, and never what its other links
// have. The new one comes to be outside of the tree, where nobody looks.
func (t *Tree) replace(path string, data []byte) error {
	temp := filepath.Join(filepath.Dir(t.Dir), ".storegen-"+filepath.Base(path))
	if err := t.write(temp, data); err != nil {
		return err
	}
	return os.Rename(temp, path)
}
