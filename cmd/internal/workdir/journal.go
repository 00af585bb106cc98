package workdir

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"cosafs/index"
)

// A journal remembers which builds are being published, so that a process that
// was killed between two steps of it is followed by one that does the rest.
type journal struct{ dir string }

// begin notes a build; the returned function strikes it out.
func (j journal) begin(id, arch string) (func() error, error) {
	if err := os.MkdirAll(j.dir, 0o755); err != nil {
		return nil, err
	}
	path := filepath.Join(j.dir, id+" "+arch)
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		return nil, err
	}
	return func() error { return os.Remove(path) }, nil
}

// pending lists the notes that were not struck out, by file name.
func (j journal) pending() ([]string, error) {
	entries, err := os.ReadDir(j.dir)
	if isAbsent(err) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

// recover finishes what a killed process was publishing: a build whose
// directory stands is complete (it came by one rename) and gets listed. Then it
// clears what dead processes of ours left in builds/.
func (r *records) recover(ctx context.Context) error {
	names, err := r.journal.pending()
	if err != nil {
		return err
	}
	for _, name := range names {
		id, arch, ok := strings.Cut(name, " ")
		if ok && isDir(r.path(id+"/"+arch)) {
			if err := r.relist(ctx, id, arch); err != nil {
				return err
			}
		}
		if err := removeIfThere(filepath.Join(r.journal.dir, name)); err != nil {
			return err
		}
	}
	return r.builds.Sweep(ctx)
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !isAbsent(err) {
		return err
	}
	return nil
}

func (r *records) relist(ctx context.Context, id, arch string) error {
	list, err := r.list(ctx)
	if err != nil {
		return err
	}
	for _, a := range list.Arches(index.BuildID(id)) {
		if string(a) == arch {
			return r.pointLatest(ctx)
		}
	}
	return r.enlist(ctx, id, arch)
}
