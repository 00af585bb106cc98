package page

import (
	"context"
	"strconv"
	"sync"

	"golang.org/x/sync/singleflight"

	"cosafs/vfs/webui"
)

// A memo keeps the list of builds for as long as the index does not change: with
// ten thousand of them their descriptions take much longer than a page.
type memo struct {
	asking singleflight.Group // by serial

	mu     sync.Mutex // guards the fields below
	serial uint64
	list   *buildList // nil before the first
}

// A buildList is all builds, newest first. It is immutable.
type buildList struct {
	builds []webui.BuildInfo // without their artifacts, which would take most of the room
	at     map[string]int    // index by id
	sums   []sum             // of the artifacts, by index
}

// A sum says how many artifacts a build records, and how large they are together.
type sum struct {
	Artifacts int
	Bytes     int64 // of those whose size is known
}

// list gives the builds as the index has them now.
func (s *Site) list(ctx context.Context) (*buildList, error) {
	serial := s.cfg.Tree.Serial()
	if l := s.builds.get(serial); l != nil {
		return l, nil
	}
	v, err, _ := s.builds.asking.Do(strconv.FormatUint(serial, 10), func() (any, error) {
		// Others wait for the answer, too, when the first who asked has left.
		builds, err := s.cfg.Service.Builds(context.WithoutCancel(ctx))
		if err != nil {
			return nil, err
		}
		l := newBuildList(builds)
		s.builds.put(serial, l)
		return l, nil
	})
	l, _ := v.(*buildList)
	return l, err
}

func newBuildList(builds []webui.BuildInfo) *buildList {
	l := &buildList{builds: make([]webui.BuildInfo, len(builds)), at: make(map[string]int, len(builds)), sums: make([]sum, len(builds))}
	for i, b := range builds {
		for _, a := range b.Artifacts {
			l.sums[i].Artifacts++
			l.sums[i].Bytes += max(a.Size, 0)
		}
		b.Artifacts, b.Buildable = nil, nil
		l.builds[i], l.at[b.ID] = b, i
	}
	return l
}

func (m *memo) get(serial uint64) *buildList {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.list == nil || m.serial != serial {
		return nil
	}
	return m.list
}

// put keeps a list, unless a newer one is there.
func (m *memo) put(serial uint64, l *buildList) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.list == nil || serial >= m.serial {
		m.serial, m.list = serial, l
	}
}

// neighbours gives the builds before and after one in the list, "" for none.
func (l *buildList) neighbours(id string) (newer, older string) {
	i, ok := l.at[id]
	if !ok {
		return "", ""
	}
	if i > 0 {
		newer = l.builds[i-1].ID
	}
	if i+1 < len(l.builds) {
		older = l.builds[i+1].ID
	}
	return newer, older
}
