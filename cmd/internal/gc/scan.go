package gc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"cosafs/backend"
	"cosafs/cmd/internal/cas"
	"cosafs/index"
	"cosafs/materialize"
)

const (
	listFile   = "builds.json"
	backupFile = "builds.json.bak"
	metaFile   = "meta.json"
)

// scan reads the list, then looks at everything that the store has. An object
// that comes later is in neither, and so is safe.
func (c *collector) scan(ctx context.Context) error {
	c.now = c.Now()
	c.Tell(materialize.Event{Phase: "list"})
	data, err := c.readList(ctx)
	if err != nil {
		return err
	}
	if c.list, err = parseList(data); err != nil {
		return err
	}
	return c.walk(ctx)
}

func (c *collector) readList(ctx context.Context) ([]byte, error) {
	data, _, err := cas.Read(ctx, c.Store, listFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fail("collect garbage", "name the directory that holds builds.json", err)
	}
	return data, err
}

// parseList refuses a list that does not tell all that it should: what it leaves
// out would look like garbage.
func parseList(data []byte) (*index.Builds, error) {
	list, err := index.ParseBuilds(data)
	switch {
	case err != nil:
	case list.Legacy():
		err = fmt.Errorf("it is from before July 2019 and names no architectures: %w", errors.ErrUnsupported)
	case len(list.Problems()) > 0:
		err = errors.Join(list.Problems()...)
	}
	if err != nil {
		return nil, fail("read "+listFile, "repair it first; cosa keeps the one before in "+backupFile, err)
	}
	return list, nil
}

func (c *collector) walk(ctx context.Context) error {
	c.objects, c.leased = map[string][]backend.Info{}, map[string]bool{}
	for info, err := range backend.Walk(ctx, c.Store, "") {
		if err != nil {
			return fmt.Errorf("list the store: %w", err)
		}
		first, _, below := strings.Cut(string(info.Key), "/")
		switch {
		case strings.HasPrefix(first, "."):
			for part := range strings.SplitSeq(string(info.Key), "/") {
				c.leased[part] = true
			}
		case info.Key == backupFile:
			c.saved = info.ModTime
		case below:
			c.objects[first] = append(c.objects[first], info)
		}
	}
	return nil
}

// readMeta gives the meta.json of a build's directory, nil where there is none or it
// is damaged: then nobody knows what the build has, and it stays.
func (c *collector) readMeta(ctx context.Context, dir string) (*index.Meta, error) {
	data, _, err := cas.Read(ctx, c.Store, backend.Key(dir).Join(metaFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m, err := index.ParseMeta(data)
	if err != nil {
		return nil, nil //nolint:nilerr // a damaged one tells nothing, as said above
	}
	return m, nil
}
