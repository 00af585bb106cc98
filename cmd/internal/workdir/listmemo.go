package workdir

import (
	"os"
	"sync"
	"time"

	"cosafs/index"
)

// listMemo keeps builds.json as it was last read. Every look at a file of the
// tree asks for the list, and parsing one of ten thousand builds takes 30 ms.
type listMemo struct {
	mu   sync.Mutex // guards the fields below; never held while reading
	info os.FileInfo
	list *index.Builds // nobody changes it
}

// get gives the list if the file is still the one that was read.
func (m *listMemo) get(now os.FileInfo) (*index.Builds, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.list == nil || !sameVersion(m.info, now) {
		return nil, false
	}
	return m.list, true
}

// put keeps a list with the facts of its file, which were asked for before it
// was read: what was changed in between has others. The list of a file that was
// changed just now is not kept, as times could miss another change.
func (m *listMemo) put(info os.FileInfo, list *index.Builds, now time.Time) {
	if now.Sub(info.ModTime()) < settling {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.info, m.list = info, list
}

// sameVersion says whether a file was neither replaced nor written.
func sameVersion(a, b os.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}
