package catalog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"cosafs/index"
)

const metaFile = "meta.json"

// patience is how many builds in a row may be unreadable before the store counts
// as one that can't be asked.
const patience = 16

// A looked is what looking at a build gave.
type looked struct {
	*target
	files  []File  // beside the architectures
	arches []*Arch // as the target's; nil where nothing could be learned
	err    error   // why nothing could be learned of some
}

// look looks at all targets, several at once, and records one after the other.
func (s *syncer) look(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan *looked)
	go s.ask(ctx, results)
	var failed error
	done, failures := 0, 0
	for l := range results { // to the end, so that nobody is left behind
		if failed != nil || ctx.Err() != nil {
			continue
		}
		if failures++; l.err == nil {
			failures = 0
		}
		switch {
		case errors.Is(l.err, ErrDamaged):
			failed = l.err
		case failures >= patience:
			failed = fmt.Errorf("%d builds in a row can't be read: %w", failures, l.err)
		default:
			failed = s.record(l)
		}
		if failed != nil {
			cancel()
			continue
		}
		done++
		if s.o.Progress != nil {
			s.o.Progress(done, len(s.targets))
		}
	}
	if failed == nil && ctx.Err() != nil {
		failed = context.Cause(ctx)
	}
	return failed
}

// ask looks at the targets and closes results when nobody will send any more.
func (s *syncer) ask(ctx context.Context, results chan<- *looked) {
	defer close(results)
	var group errgroup.Group
	group.SetLimit(s.o.Parallel)
	for _, t := range s.targets {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error {
			select {
			case results <- s.lookAt(ctx, t):
			case <-ctx.Done():
			}
			return nil
		})
	}
	_ = group.Wait() // nobody gives an error
}

// lookAt asks the store for a build.
func (s *syncer) lookAt(ctx context.Context, t *target) *looked {
	l := &looked{target: t, arches: make([]*Arch, len(t.arches))}
	files, listed, err := s.filesOf(ctx, t.id)
	if err != nil {
		l.err = fmt.Errorf("list the files of %s: %w", t.id, err)
		return l
	}
	for i := range t.arches {
		if l.arches[i], err = s.lookAtArch(ctx, t, i, files, listed); err != nil {
			l.err = fmt.Errorf("%s/%smeta.json: %w", t.id, t.dirs[i], err)
		}
	}
	if !slices.Contains(t.dirs, "") { // in a legacy build all files are its architecture's
		l.files = within("", files)
	}
	return l
}

// filesOf lists a build's files, where the store can.
func (s *syncer) filesOf(ctx context.Context, id string) (files []File, listed bool, err error) {
	if s.unlisted.Load() {
		return nil, false, nil
	}
	files, err = s.src.Files(ctx, id)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		s.unlisted.Store(true)
		return nil, false, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, true, nil
	}
	return files, true, err
}

// within gives the files right in a directory, by their base names, in order.
func within(dir string, files []File) []File {
	var own []File
	for _, f := range files {
		name, ok := strings.CutPrefix(f.Name, dir)
		if ok && index.ValidName(name) {
			f.Name = name
			own = append(own, f)
		}
	}
	slices.SortFunc(own, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(own, func(a, b File) bool { return a.Name == b.Name })
}

// lookAtArch learns of one architecture of a build. An error means that the store
// did not say.
func (s *syncer) lookAtArch(ctx context.Context, t *target, i int, files []File, listed bool) (*Arch, error) {
	old, err := s.recorded(t, t.arches[i])
	if err != nil {
		return nil, err
	}
	a := &Arch{
		ID: t.id, Name: t.arches[i], Dir: dirOf(t, i),
		Files: within(t.dirs[i], files), Listed: listed,
	}
	now := a.version()
	switch {
	case listed && !slices.ContainsFunc(a.Files, isMeta):
		a.Problem = noMeta
		return a, nil
	case now != "" && now == old.version():
		a.adopt(&old)
		return a, nil
	}
	data, f, err := s.src.Read(ctx, t.id, t.dirs[i]+metaFile, old.version())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		a.Files = slices.DeleteFunc(a.Files, isMeta)
		a.Problem = noMeta
		return a, nil
	case err != nil:
		return nil, err
	case data == nil && old.version() == "":
		return nil, fmt.Errorf("the store gave nothing for a version that nobody named: %w", fs.ErrInvalid)
	}
	a.setMeta(f)
	if data == nil {
		a.adopt(&old)
		return a, nil
	}
	a.fill(data)
	return a, nil
}

// noMeta is the problem of builds that the list has and the store hasn't.
const noMeta = "meta.json is not in the store"

// recorded gives what is known of an architecture, or nothing.
func (s *syncer) recorded(t *target, arch string) (a Arch, err error) {
	if t.old == nil {
		return Arch{}, nil
	}
	h, ok := t.old.head(arch)
	if !ok {
		return Arch{}, nil
	}
	err = s.c.view(func(r reader) error {
		a, err = r.arch(s.num, h)
		return err
	})
	return a, err
}

func isMeta(f File) bool { return f.Name == metaFile }

// version is that of the meta.json that the record tells of, "" for none.
func (a *Arch) version() string {
	if i := slices.IndexFunc(a.Files, isMeta); i >= 0 {
		return a.Files[i].Version
	}
	return ""
}

// setMeta notes the meta.json that was read, which may be newer than the listing.
func (a *Arch) setMeta(f File) {
	f.Name = metaFile
	if i := slices.IndexFunc(a.Files, isMeta); i >= 0 {
		a.Files[i] = f
		return
	}
	a.Files = append(a.Files, f)
}

// adopt takes over what was learned from the same meta.json before.
func (a *Arch) adopt(old *Arch) {
	a.OS, a.Version, a.Commit, a.Config, a.Time = old.OS, old.Version, old.Commit, old.Config, old.Time
	a.Images, a.Problem = old.Images, old.Problem
}

// fill notes what meta.json says.
func (a *Arch) fill(data []byte) {
	m, err := index.ParseMeta(data)
	if err != nil {
		a.Problem = oneLine(err.Error())
		return
	}
	a.OS, a.Version, a.Commit, a.Time, a.Images = m.Name(), m.Version(), m.Commit(), m.BuildTime(), m.Images()
	if git, ok := m.ConfigGit(); ok {
		a.Config = git.String()
	}
}

// oneLine makes a message fit for a list.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
