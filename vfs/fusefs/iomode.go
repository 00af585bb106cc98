package fusefs

import (
	"os"
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// ioMode keeps the handles of one inode in one mode. The kernel refuses, with
// EIO, an open in passthrough mode while handles in caching mode live, and the
// other way round (fs/fuse/iomode.c); a mapping counts as a handle. So the mode
// changes only when there is no handle.
type ioMode struct {
	mu      sync.Mutex
	live    int      // handles that were opened and not released
	backing *os.File // what the kernel reads; nil in caching mode or without handles
}

// enter adds a handle and says whether it is in passthrough mode. local is the
// file that the kernel could read, nil for none.
func (m *ioMode) enter(local *os.File) (pass bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.live == 0 && local != nil {
		// A copy of the descriptor: the blob it belongs to may be closed while later
		// handles of the inode live.
		if fd, err := unix.FcntlInt(local.Fd(), unix.F_DUPFD_CLOEXEC, 0); err == nil {
			m.backing = os.NewFile(uintptr(fd), local.Name())
		}
	}
	m.live++
	return m.backing != nil
}

// leave takes a handle away.
func (m *ioMode) leave() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.live--; m.live == 0 && m.backing != nil {
		_ = m.backing.Close() // only read from
		m.backing = nil
	}
}

// fd is the descriptor of the backing file, for a handle in passthrough mode.
func (m *ioMode) fd() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return int(m.backing.Fd())
}

// backing knows on which devices passthrough works. The kernel refuses files
// whose file system is stacked too deep, and everything to users who are not
// root. go-fuse gives up passthrough for the whole mount, silently and with
// handles of both modes alive, at the first refusal; so it must not meet one.
type backing struct {
	off     bool
	devices sync.Map // st_dev -> bool
}

// usable gives f if the kernel takes it, else nil.
func (b *backing) usable(server *fuse.Server, f *os.File) *os.File {
	var st unix.Stat_t
	if f == nil || b.off || unix.Fstat(int(f.Fd()), &st) != nil {
		return nil
	}
	ok, known := b.devices.Load(st.Dev)
	if !known {
		ok = probe(server, f) == 0
		b.devices.Store(st.Dev, ok)
	}
	if ok != true {
		return nil
	}
	return f
}

// probe registers f and takes it back.
func probe(server *fuse.Server, f *os.File) syscall.Errno {
	id, errno := server.RegisterBackingFd(&fuse.BackingMap{Fd: int32(f.Fd())})
	if errno != 0 {
		return errno
	}
	return server.UnregisterBackingFd(id)
}
