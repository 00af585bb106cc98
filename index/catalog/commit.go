package catalog

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
)

// Bounds of a record, so that a build fits into a transaction. The largest that
// cosa makes has some sixty images and files.
const (
	maxBytes = maxValue / 4
	maxKeys  = 1000
)

// A change is an architecture whose record is to be written.
type change struct {
	arch   *Arch
	packed []byte
	head   head // its ref is that of the old record, if there is one
	old    bool // there is an old record
	gone   bool // there is nothing but an old record
}

// record writes what looking at a build gave, if it is anything new.
func (s *syncer) record(l *looked) error {
	s.note(l)
	b := buildRecord{files: l.files, cleanup: l.cleanup}
	if len(b.encode()) > maxBytes { // somebody keeps thousands of files beside the architectures
		b.files = nil
	}
	var changes []change
	for i, arch := range l.arches {
		c, err := s.changeOf(l, i, arch)
		if err != nil {
			return err
		}
		if c.arch != nil {
			changes = append(changes, c)
		}
		b.heads = append(b.heads, c.head)
	}
	changes = append(changes, l.lost()...)
	if l.err != nil && l.old != nil {
		b.files = l.old.files
	}
	if l.old != nil && len(changes) == 0 && slices.Equal(b.files, l.old.files) && !l.differs() {
		return nil
	}
	for _, c := range changes {
		if c.old && s.o.Before != nil {
			s.o.Before(l.id, c.head.Name)
		}
	}
	if l.old == nil {
		s.report.Added++
	} else {
		s.report.Changed++
	}
	return s.update(func(w *writer) error { return w.writeBuild(s.num, l.target, b, changes) })
}

// note remembers what could not be read, and what can't be used.
func (s *syncer) note(l *looked) {
	if l.err != nil {
		s.again[l.id] = true
	}
	for i, arch := range l.arches {
		switch {
		case arch == nil && l.err != nil:
			s.problems[problem{l.id, l.target.arches[i], oneLine(l.err.Error())}] = true
		case arch != nil && arch.Problem != "" && !l.cleanup.Build: // what was deleted is no trouble
			s.problems[problem{l.id, arch.Name, arch.Problem}] = true
		}
	}
}

// changeOf compares an architecture with its record. Without a change it gives the
// head alone.
func (s *syncer) changeOf(l *looked, i int, arch *Arch) (change, error) {
	name := l.target.arches[i]
	var c change
	if l.old != nil {
		c.head, c.old = l.old.head(name)
	}
	if arch == nil && c.old {
		return c, nil // what is known stays
	}
	if arch == nil {
		arch = &Arch{ID: l.id, Name: name, Dir: dirOf(l.target, i), Problem: "it can't be read: " + oneLine(l.err.Error())}
	}
	data := encodeArch(arch)
	if len(data) > maxBytes || len(archKeys(s.num, 0, arch)) > maxKeys {
		arch.shrink()
		data = encodeArch(arch)
	}
	if c.old && stampOf(data) == c.head.Stamp {
		return c, nil
	}
	packed, err := pack(data)
	c.arch, c.packed = arch, packed
	c.head.Head = Head{Name: name, Stamp: stampOf(data), Time: arch.Time}
	c.head.kinds = 0
	for _, im := range arch.Images {
		c.head.kinds |= kindBit(string(im.Kind))
	}
	return c, err
}

// shrink leaves out what makes a record too large for the index. The version goes,
// too: meta.json has to be read again to know what was left out.
func (a *Arch) shrink() {
	a.Problem = fmt.Sprintf("too much for the index: %d images, %d files", len(a.Images), len(a.Files))
	a.Images, a.Listed = nil, false
	a.Files = slices.DeleteFunc(a.Files, func(f File) bool { return !isMeta(f) })
	for i := range a.Files {
		a.Files[i].Version = ""
	}
}

// lost gives the architectures that the list has no longer.
func (l *looked) lost() []change {
	if l.old == nil {
		return nil
	}
	var gone []change
	for _, h := range l.old.heads {
		if !slices.Contains(l.target.arches, h.Name) {
			gone = append(gone, change{head: h, old: true, gone: true})
		}
	}
	return gone
}

// writeBuild writes a build's record and those of its architectures that changed.
func (w *writer) writeBuild(num uint16, t *target, b buildRecord, changes []change) error {
	counters := make(map[string]*counter)
	for _, c := range changes {
		ref, err := w.writeArch(num, t, c, counters)
		if err != nil {
			return err
		}
		for i := range b.heads {
			if b.heads[i].Name == c.head.Name {
				b.heads[i].ref = ref
			}
		}
	}
	return errors.Join(w.keepCounters(num, counters), w.put(buildKey(num, t.id), b.encode()))
}

// writeArch replaces an architecture's record and the keys by which it is found,
// and says under which ref. Another commit gets another ref: packages go with it.
func (w *writer) writeArch(num uint16, t *target, c change, counters map[string]*counter) (uint32, error) {
	ref, oldKeys := c.head.ref, map[string]bool{}
	if c.old {
		h := c.head
		if c.arch != nil {
			old, _ := t.old.head(h.Name) // it is there: c.old says so
			h = old
		}
		old, err := w.arch(num, h)
		if err != nil {
			return 0, err
		}
		oldKeys = archKeys(num, ref, &old)
		if c.gone || old.Commit != c.arch.Commit {
			if err := w.dropArch(num, ref, oldKeys); err != nil {
				return 0, err
			}
			ref, oldKeys = 0, map[string]bool{}
		}
	}
	if c.gone {
		return 0, nil
	}
	if ref == 0 {
		var err error
		if ref, err = w.refFor(num, t, c.head.Name, counters); err != nil {
			return 0, err
		}
	}
	return ref, errors.Join(w.replaceKeys(oldKeys, archKeys(num, ref, c.arch)), w.put(archKey(num, ref), c.packed))
}

// refFor gives an unused ref: the one set aside, or another.
func (w *writer) refFor(num uint16, t *target, arch string, counters map[string]*counter) (uint32, error) {
	if ref, ok := t.refs[arch]; ok {
		return ref, nil
	}
	return w.takeRef(num, arch, counters)
}

// dropArch deletes an architecture's record and its keys.
func (w *writer) dropArch(num uint16, ref uint32, keys map[string]bool) error {
	return errors.Join(w.replaceKeys(keys, nil), w.del(archKey(num, ref)))
}

// replaceKeys turns one set of keys that are there into another.
func (w *writer) replaceKeys(old, now map[string]bool) error {
	for key := range old {
		if !now[key] {
			if err := w.del([]byte(key)); err != nil {
				return err
			}
		}
	}
	for key := range now {
		if !old[key] {
			if err := w.add([]byte(key)); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeBuild deletes what is recorded of a build.
func (s *syncer) removeBuild(id string) error {
	var b buildRecord
	err := s.c.view(func(r reader) (err error) {
		b, err = r.build(s.num, id)
		return err
	})
	if err != nil {
		return missing(err)
	}
	if s.o.Before != nil {
		for _, h := range b.heads {
			s.o.Before(id, h.Name)
		}
	}
	return s.update(func(w *writer) error {
		for _, h := range b.heads {
			a, err := w.arch(s.num, h)
			if err == nil {
				err = w.dropArch(s.num, h.ref, archKeys(s.num, h.ref, &a))
			}
			if err != nil {
				return err
			}
		}
		return w.del(buildKey(s.num, id))
	})
}

// unread gives the builds to be looked at again, in order.
func (s *syncer) unread() []string { return slices.Sorted(maps.Keys(s.again)) }

// maxProblems is how many problems are kept for reports.
const maxProblems = 100

// troubles gives the problems as they are now: those of builds that were looked at,
// and the older ones of listed builds that weren't.
func (s *syncer) troubles() []problem {
	seen := make(map[string]bool)
	for _, t := range s.targets {
		seen[t.id] = true
	}
	listed := make(map[string]bool)
	for _, id := range s.order.ids {
		listed[id] = true
	}
	all := slices.Collect(maps.Keys(s.problems))
	for _, p := range s.order.problems {
		if listed[p.id] && !seen[p.id] || p.id == "" && s.text == nil {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b problem) int {
		return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.arch, b.arch), cmp.Compare(a.text, b.text))
	})
	return all[:min(len(all), maxProblems)]
}

// dirOf is the key of an architecture's directory.
func dirOf(t *target, i int) string {
	if t.dirs[i] == "" {
		return t.id
	}
	return t.id + "/" + t.arches[i]
}

// flush makes what was written last through a loss of power.
func (c *Catalog) flush() error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.db == nil {
		return fs.ErrClosed
	}
	return c.db.Sync()
}
