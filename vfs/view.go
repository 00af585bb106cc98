package vfs

import (
	"io/fs"
	"slices"
	"strings"
	"time"
)

// Names at the top which are no builds.
const (
	latestName  = "latest"
	nextName    = "next"
	controlName = ".cosafs"
)

// A view is a snapshot with the indexes that lookups and listings of the top
// need. It is made once a snapshot and immutable.
type view struct {
	snap   *Snapshot
	builds map[string]*Build
	root   []Dirent // in name order
}

// current is the view of the facts as known now.
func (f *FS) current() *view {
	s := f.lib.Snapshot()
	if v := f.view.Load(); v != nil && v.snap.Serial == s.Serial {
		return v
	}
	v := newView(s)
	f.view.Store(v)
	return v
}

func newView(s *Snapshot) *view {
	v := &view{snap: s, builds: make(map[string]*Build, len(s.Builds))}
	for i := range s.Builds {
		if b := &s.Builds[i]; validName(b.ID) && !reserved(b.ID) {
			v.builds[b.ID] = b
		}
	}
	v.root = make([]Dirent, 0, len(v.builds)+len(s.Top)+3)
	for id := range v.builds {
		v.root = append(v.root, dirDirent(id))
	}
	for i := range s.Top {
		v.root = append(v.root, s.Top[i].dirent())
	}
	v.root = append(v.root, dirDirent(controlName))
	if len(s.Next) > 0 {
		v.root = append(v.root, dirDirent(nextName))
	}
	if s.Latest != "" {
		ino, _ := identify("link", latestName)
		v.root = append(v.root, Dirent{Name: latestName, Ino: ino, Mode: fs.ModeSymlink})
	}
	slices.SortFunc(v.root, byName)
	return v
}

// arch finds the files of one architecture of one build.
func (v *view) arch(build, arch string) (*Arch, bool) {
	b, ok := v.builds[build]
	if !ok {
		return nil, false
	}
	i := slices.IndexFunc(b.Arches, func(a Arch) bool { return a.Name == arch })
	if i < 0 {
		return nil, false
	}
	return &b.Arches[i], true
}

// newest is when the newest build was made: the date of directories that
// change with the list of builds.
func (v *view) newest() time.Time {
	if len(v.snap.Builds) == 0 {
		return time.Unix(0, 0)
	}
	return v.snap.Builds[0].Time
}

// findEntry finds a file by name.
func findEntry(files []Entry, name string) (Entry, bool) {
	i := slices.IndexFunc(files, func(e Entry) bool { return e.Name == name })
	if i < 0 {
		return Entry{}, false
	}
	return files[i], true
}

func byName(a, b Dirent) int { return strings.Compare(a.Name, b.Name) }

func reserved(name string) bool {
	return name == latestName || name == nextName || name == controlName
}

// validName says whether a directory may hold the name: the index is data of
// others, and must not lead out of the tree.
func validName(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsAny(name, "/\x00")
}

// join joins path elements, leaving out empty ones.
func join(elems ...string) string {
	return strings.Join(slices.DeleteFunc(slices.Clone(elems), func(e string) bool { return e == "" }), "/")
}
