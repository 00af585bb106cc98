package stream

import (
	"time"

	"cosafs/index"
	"cosafs/index/catalog"
	"cosafs/vfs"
)

// facts is what the tree shows at one moment. It is immutable, but for the file
// lists that [Stream.keep] pins.
type facts struct {
	snap     *vfs.Snapshot
	top      []byte               // builds.json
	builds   map[string]*build    // by id
	problems map[string]string    // by build id, or store: what is left out of the tree, and why
	buried   map[string]string    // builds wholly deleted from a store, by id: the store's name
	tags     map[string][]string  // by build id
	counts   map[string]int       // of builds that a store lists, by its name
	synced   map[string]time.Time // when a store was asked, by its name
}

// A build is what the tree needs to know of a build beyond the snapshot.
type build struct {
	arches []*arch
	beside []beside // in the order of the snapshot's files
}

// A beside is a file beside a build's architectures.
type beside struct {
	src  *source
	file catalog.File
}

// An arch is one build for one architecture as one store has it. It lives as
// long as any snapshot that shows it.
type arch struct {
	src      *source
	id, name string
	record   string // its name in the catalog: "" in a legacy list
	stamp    uint64 // of the catalog's record
	cleanup  *index.Cleanup
	kept     keptFiles
}

func emptyFacts() *facts {
	return &facts{
		snap: &vfs.Snapshot{}, builds: map[string]*build{}, problems: map[string]string{}, buried: map[string]string{},
		tags: map[string][]string{}, counts: map[string]int{}, synced: map[string]time.Time{},
	}
}

// current gives what the tree shows now.
func (s *Stream) current() *facts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.facts
}

// shown says whether the tree was read from the catalog.
func (s *Stream) shown() bool { return s.current().snap.Serial > 0 }

// changed is closed at the next change.
func (s *Stream) changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.next
}

// publish shows new facts.
func (s *Stream) publish(f *facts) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.snap.Serial = s.facts.snap.Serial + 1
	f.dateTop(s.facts)
	s.facts = f
	close(s.next)
	s.next = make(chan struct{})
}

// dateTop makes sure that another builds.json is another file: a merged one may
// change without the newest of its parts being newer.
func (f *facts) dateTop(old *facts) {
	if len(f.snap.Top) == 0 || len(old.snap.Top) == 0 {
		return
	}
	now, was := &f.snap.Top[0], old.snap.Top[0]
	if now.Size == was.Size && !now.ModTime.After(was.ModTime) && string(f.top) != string(old.top) {
		now.ModTime = was.ModTime.Add(time.Nanosecond)
	}
}

func (b *build) has(name string) bool { return b.arch(name) != nil }

// arch gives an architecture of the build, nil where it has none of that name.
func (b *build) arch(name string) *arch {
	if b == nil {
		return nil
	}
	for _, a := range b.arches {
		if a.name == name {
			return a
		}
	}
	return nil
}
