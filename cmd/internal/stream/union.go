package stream

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"time"
	"unique"

	"cosafs/index"
	"cosafs/index/catalog"
	"cosafs/materialize"
	"cosafs/vfs"
)

// A part is what the catalog knows of one store.
type part struct {
	src    *source
	top    catalog.Top
	builds map[string]catalog.Build
	buried map[string]bool // builds that the store has wholly deleted
}

// refresh reads the catalog and shows what it knows.
func (s *Stream) refresh(ctx context.Context) error {
	s.refreshing.Lock()
	defer s.refreshing.Unlock()
	var parts []part
	for _, src := range s.sources {
		p, err := s.readPart(ctx, src)
		if errors.Is(err, fs.ErrNotExist) {
			continue // never asked yet
		}
		if err != nil {
			return fmt.Errorf("read the catalog of %s: %w", src.name, err)
		}
		parts = append(parts, p)
	}
	if len(parts) > 0 {
		s.publish(s.union(parts))
	}
	return nil
}

func (s *Stream) readPart(ctx context.Context, src *source) (part, error) {
	top, err := s.catalog.Top(src.name)
	if err != nil {
		return part{}, err
	}
	p := part{src: src, top: top, builds: map[string]catalog.Build{}, buried: map[string]bool{}}
	for _, e := range top.List.Tombstones() {
		p.buried[string(e.ID)] = true
	}
	for b, err := range s.catalog.Builds(ctx, src.name) {
		if err != nil {
			return part{}, err
		}
		p.builds[b.ID] = b
	}
	return p, nil
}

// union makes one tree of what the stores have. It is built anew at every
// change, but what did not change is taken over from the tree so far.
func (s *Stream) union(parts []part) *facts {
	old := s.current()
	list, f := mergeTops(parts)
	for _, e := range list.Entries() {
		id := string(e.ID)
		if !materialize.NamesBuild(id) {
			f.problems[id] = "a build can't have this name: it means something else beside the builds"
			continue
		}
		shown, b := s.unite(id, parts, old.builds[id])
		if len(b.arches) == 0 {
			f.problems[id] = "listed in builds.json, but no store has anything of it"
			continue
		}
		f.snap.Builds = append(f.snap.Builds, shown)
		f.builds[id] = b
	}
	if len(f.snap.Builds) > 0 {
		f.snap.Latest = f.snap.Builds[0].ID
	}
	return f
}

// mergeTops gives the list of all builds, and facts with builds.json: that of the
// store, byte for byte, or the merged one of several.
func mergeTops(parts []part) (*index.Builds, *facts) {
	f := emptyFacts()
	var lists []*index.Builds
	var mtime time.Time
	for _, p := range parts {
		lists = append(lists, p.top.List)
		if p.top.File.ModTime.After(mtime) {
			mtime = p.top.File.ModTime
		}
		if err := errors.Join(p.top.List.Problems()...); err != nil {
			f.problems[p.src.name] = materialize.OneLine(err.Error())
		}
		f.counts[p.src.name], f.synced[p.src.name] = len(p.top.List.Entries()), p.top.Synced
		for id := range p.buried {
			f.buried[id] = p.src.name
		}
	}
	list, source := lists[0], parts[0].src.name
	if f.top = parts[0].top.Data; len(parts) > 1 {
		list, source = index.MergeLists(lists...), ""
		f.top = list.Bytes()
	}
	for _, tag := range list.Tags() {
		f.tags[string(tag.Target)] = append(f.tags[string(tag.Target)], tag.Name)
	}
	f.snap.Top = []vfs.Entry{{
		Name: listFile, Size: int64(len(f.top)), ModTime: mtime, State: materialize.StateCached, Source: source,
	}}
	return list, f
}

// unite gives one build: of each architecture what the first store has that has
// it, and the files beside them likewise.
func (s *Stream) unite(id string, parts []part, old *build) (vfs.Build, *build) {
	shown, b := vfs.Build{ID: id}, &build{}
	for i := range parts {
		p := &parts[i]
		entry, ok := p.builds[id]
		if !ok {
			continue
		}
		if entry.Time.After(shown.Time) {
			shown.Time = entry.Time
		}
		cleanup := cleanupOf(entry, p.buried[id])
		for _, head := range entry.Arches {
			// Ten thousand builds name few architectures.
			if name := unique.Make(s.archName(head.Name)).Value(); !b.has(name) {
				a := old.reuse(&arch{src: p.src, id: id, name: name, record: head.Name, stamp: head.Stamp, cleanup: cleanup})
				b.arches = append(b.arches, a)
				shown.Arches = append(shown.Arches, vfs.Arch{Name: name, Stamp: a.version(), Files: s.filesOf(a)})
			}
		}
		shown.Files = b.addBeside(p.src, entry, shown.Files)
	}
	return shown, b
}

// reuse gives the architecture that the tree shows already, if it is the same
// as now: the lists that were kept for it stay with it.
func (b *build) reuse(now *arch) *arch {
	if was := b.arch(now.name); was != nil && was.src == now.src && was.stamp == now.stamp && reflect.DeepEqual(was.cleanup, now.cleanup) {
		return was
	}
	return now
}

// addBeside adds the files of a build that no store before had.
func (b *build) addBeside(src *source, entry catalog.Build, files []vfs.Entry) []vfs.Entry {
	for _, file := range entry.Files {
		known := slices.ContainsFunc(b.beside, func(o beside) bool { return o.file.Name == file.Name })
		if known || hidden(file.Name) {
			continue
		}
		b.beside = append(b.beside, beside{src, file})
		files = append(files, vfs.Entry{
			Build: entry.ID, Name: file.Name, Size: file.Size, ModTime: file.ModTime, State: materialize.StateRemote, Source: src.name,
		})
	}
	return files
}

// archName is an architecture's name in the tree. A legacy list names none; its
// builds are shown as being of this machine's.
func (s *Stream) archName(name string) string {
	if name == "" {
		return s.cfg.Arch
	}
	return name
}
