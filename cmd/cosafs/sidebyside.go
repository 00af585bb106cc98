package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"cosafs/cmd/internal/stores"
	"cosafs/vfs/fusefs"
	"cosafs/vfs/webui"
)

// mountSideBySide shows each store below req.Dir, in a folder of its own and by a
// daemon of its own.
func (p *program) mountSideBySide(ctx context.Context, req webui.MountRequest) error {
	given := strings.Fields(p.cfg.given["store"])
	for i, url := range p.cfg.Stores {
		one := *p
		one.cfg.Stores, one.cfg.named = []string{url}, false
		one.cfg.given = maps.Clone(p.cfg.given)
		one.cfg.given["store"] = given[i]
		to := req
		to.Dir = filepath.Join(req.Dir, label(given[i]))
		if err := os.MkdirAll(to.Dir, 0o755); err != nil {
			return fmt.Errorf("mount point: %w", err)
		}
		if err := errors.Join(one.checkHome(), one.mount(ctx, to, nil)); err != nil {
			return err
		}
	}
	return nil
}

// cutLabel splits what is given for a store: NAME=URL, or a URL alone. A name has
// no slash and no colon, and so can't be the beginning of a URL.
func cutLabel(given string) (name, url string) {
	name, url, ok := strings.Cut(given, "=")
	if !ok || name == "" || strings.ContainsAny(name, "/:?") {
		return "", given
	}
	return name, url
}

// label is the folder of a store: the name it was given, else its place in words.
func label(given string) string {
	name, url := cutLabel(given)
	if name != "" {
		return name
	}
	place := stores.Name(url, "")
	if _, rest, ok := strings.Cut(place, "://"); ok {
		place = rest
	}
	place, _, _ = strings.Cut(place, "?")
	place = strings.TrimSuffix(strings.Trim(place, "/"), "/builds")
	return strings.NewReplacer("/", "-", ":", "-").Replace(place)
}

// mountsIn gives the folders directly below dir at which something of ours is
// mounted: what a mount side by side made.
func mountsIn(ctx context.Context, dir string) []string {
	var found []string
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil // it says nothing; the caller has an error of its own
	}
	for _, e := range entries {
		sub := filepath.Join(dir, e.Name())
		if state, err := fusefs.Check(ctx, sub); err == nil && state != fusefs.NotMounted && state != fusefs.Foreign {
			found = append(found, sub)
		}
	}
	return found
}
