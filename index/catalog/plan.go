package catalog

import (
	"errors"
	"io/fs"
	"maps"
	"slices"

	"cosafs/index"
)

// A target is a build to be looked at.
type target struct {
	id      string
	arches  []string
	dirs    []string // of each architecture, relative to the build's directory: "x86_64/", or ""
	cleanup index.Cleanup
	old     *buildRecord      // nil for a build that is new
	refs    map[string]uint32 // set aside for architectures that are new
}

// planKnown says what to look at where the list is known: the newest builds, and
// those that could not be read the last time.
func (s *syncer) planKnown() error {
	n := len(s.order.ids)
	if s.o.Recheck >= 0 {
		n = min(n, s.o.Recheck)
	}
	ids := slices.Clone(s.order.ids[:n])
	for _, id := range s.order.again {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return s.c.view(func(r reader) error {
		for _, id := range ids {
			b, err := r.build(s.num, id)
			if err != nil {
				return missing(err)
			}
			s.targets = append(s.targets, targetOf(id, &b))
		}
		return nil
	})
}

// targetOf looks again at what is recorded.
func targetOf(id string, b *buildRecord) *target {
	t := &target{id: id, cleanup: b.cleanup, old: b}
	for _, h := range b.heads {
		t.addArch(h.Name)
	}
	return t
}

func (t *target) addArch(arch string) {
	dir := arch + "/"
	if arch == "" {
		dir = ""
	}
	t.arches = append(t.arches, arch)
	t.dirs = append(t.dirs, dir)
}

// planList says what to look at of a list: what is new or changed, the newest
// builds, and those that could not be read. What it lacks is to go.
func (s *syncer) planList(list *index.Builds) error {
	records := make(map[string]buildRecord)
	err := s.c.view(func(r reader) error {
		return r.builds(s.num, "", func(id string, b buildRecord) { records[id] = b })
	})
	if err != nil {
		return err
	}
	again := make(map[string]bool)
	for _, id := range s.order.again {
		again[id] = true
	}
	s.order.ids, s.order.tags = nil, nil
	for i, e := range list.Entries() {
		id := string(e.ID)
		t := s.targetFor(list, e)
		if b, ok := records[id]; ok {
			t.old = &b
		}
		delete(records, id)
		s.order.ids = append(s.order.ids, id)
		if s.o.Recheck < 0 || i < s.o.Recheck || again[id] || t.differs() {
			s.targets = append(s.targets, t)
		}
	}
	for _, t := range list.Tags() {
		s.order.tags = append(s.order.tags, tag{t.Name, string(t.Target)})
	}
	s.gone = slices.Sorted(maps.Keys(records))
	return s.reserve()
}

func (s *syncer) targetFor(list *index.Builds, e index.Entry) *target {
	t := &target{id: string(e.ID), cleanup: e.Cleanup}
	for _, arch := range e.Arches {
		if !slices.Contains(t.arches, string(arch)) {
			t.addArch(string(arch))
		}
	}
	if list.Legacy() {
		t.addArch("")
	}
	return t
}

// differs says whether the list tells something else of the build than is recorded.
func (t *target) differs() bool {
	if t.old == nil {
		return true
	}
	names := make([]string, len(t.old.heads))
	for i, h := range t.old.heads {
		names[i] = h.Name
	}
	return !slices.Equal(names, t.arches) || !sameCleanup(t.old.cleanup, t.cleanup)
}

func sameCleanup(a, b index.Cleanup) bool {
	return a.CloudUploads == b.CloudUploads && a.Containers == b.Containers && a.Build == b.Build &&
		a.Images == b.Images && slices.Equal(a.ImagesKept, b.ImagesKept)
}

// reserve sets refs aside for all architectures that are new, from the oldest build
// on: so those of neighbours follow one another, in whatever order they arrive.
func (s *syncer) reserve() error {
	return s.update(func(w *writer) error {
		counters := make(map[string]*counter)
		for _, t := range slices.Backward(s.targets) {
			t.refs = make(map[string]uint32)
			for _, arch := range t.arches {
				if t.old != nil {
					if _, ok := t.old.head(arch); ok {
						continue
					}
				}
				ref, err := w.takeRef(s.num, arch, counters)
				if err != nil {
					return err
				}
				t.refs[arch] = ref
			}
		}
		return w.keepCounters(s.num, counters)
	})
}

// A counter gives the refs of an architecture: a number that it shares with none
// in the upper byte, one more each time in the others.
type counter struct{ arch, next uint32 }

const refBits = 24

// takeRef gives an unused ref. Counters that it reads it leaves in the map.
func (w *writer) takeRef(num uint16, arch string, counters map[string]*counter) (uint32, error) {
	n := counters[arch]
	if n == nil {
		var err error
		if n, err = w.counter(num, arch); err != nil {
			return 0, err
		}
		counters[arch] = n
	}
	if n.next++; n.next >= 1<<refBits {
		return 0, errRefs
	}
	return n.arch<<refBits | n.next, nil
}

// errRefs ends a store that had sixteen million builds, or 256 architectures.
var errRefs = errors.New("too many builds for one index")

// counter reads a counter, or starts one.
func (w *writer) counter(num uint16, arch string) (*counter, error) {
	data, err := w.get(refsKey(num, arch))
	if err == nil {
		d := decoder{rest: data}
		return &counter{uint32(d.uint()), uint32(d.uint())}, d.end("counters")
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	const most = 1 << (32 - refBits)
	others, err := w.keys(storeKey(kindRefs, num), most)
	if err == nil && len(others) == most {
		err = errRefs
	}
	if err != nil {
		return nil, err
	}
	n := &counter{arch: uint32(len(others))}
	return n, w.keepCounters(num, map[string]*counter{arch: n})
}

func (w *writer) keepCounters(num uint16, counters map[string]*counter) error {
	for arch, n := range counters {
		var e encoder
		e.uint(uint64(n.arch))
		e.uint(uint64(n.next))
		if err := w.put(refsKey(num, arch), e.out); err != nil {
			return err
		}
	}
	return nil
}
