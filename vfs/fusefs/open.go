package fusefs

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	fusenode "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"cosafs/materialize"
	"cosafs/vfs"
)

// fileNode is a file that the kernel knows.
type fileNode struct {
	fusenode.Inode
	s  *Server
	n  vfs.File
	io ioMode
	// sizeless: the kernel was told size 0 for lack of a better one, and nobody
	// corrected it yet.
	sizeless atomic.Bool
	// unsure: the kernel may have bytes that nobody has checked, as they came before
	// the file was complete. wrong: it has bytes that turned out to be wrong.
	unsure, wrong atomic.Bool
}

var (
	_ fusenode.NodeGetattrer   = (*fileNode)(nil)
	_ fusenode.NodeOpener      = (*fileNode)(nil)
	_ fusenode.NodeGetxattrer  = (*fileNode)(nil)
	_ fusenode.NodeListxattrer = (*fileNode)(nil)
)

// Getattr takes the size from an open handle where it isn't known otherwise:
// an outdated file of next/ that somebody still reads.
func (f *fileNode) Getattr(ctx context.Context, fh fusenode.FileHandle, out *fuse.AttrOut) syscall.Errno {
	errno := f.s.getattr(ctx, f.n, out)
	if h, ok := fh.(*handle); ok && errno == 0 && out.Size == 0 {
		out.Size = uint64(h.blob.Size())
		out.Blocks = (out.Size + sector - 1) / sector
	}
	return errno
}

// Open makes the bytes exist. The reply goes out when they do.
func (f *fileNode) Open(ctx context.Context, flags uint32) (fusenode.FileHandle, uint32, syscall.Errno) {
	if flags&unix.O_ACCMODE != unix.O_RDONLY || flags&unix.O_TRUNC != 0 {
		return nil, 0, unix.EROFS
	}
	a, err := f.n.Attr(context.WithoutCancel(ctx))
	if err != nil {
		return nil, 0, f.s.errno("open", err)
	}
	patient, stop := f.s.patient(ctx)
	defer stop()
	blob, err := f.n.Open(patient)
	if err != nil {
		return nil, 0, f.s.errno("open", err)
	}
	h := &handle{n: f, blob: blob}
	h.local, _ = blob.LocalFile()
	if a.Generated {
		// The size is anybody's guess until the end of the text is read.
		f.io.enter(nil)
		return h, fuse.FOPEN_DIRECT_IO, 0
	}
	h.pass = f.io.enter(f.s.backing.usable(f.s.fuse, h.local))
	if f.sizeless.Load() {
		f.tellSize(patient, h)
	}
	unsure := f.unsure.Swap(h.local == nil)
	if h.pass || f.wrong.Swap(false) || unsure && h.local != nil {
		return h, 0, 0 // what the kernel has is dropped
	}
	return h, fuse.FOPEN_KEEP_CACHE, 0
}

// page is the kernel's unit of caching.
const page = 4096

// tellSize corrects the size 0 that the kernel may have, before it sees the
// file open: who looks at the size without asking for attributes (sendfile) then
// sees the end of the file. Storing a page in the kernel's cache moves its size.
func (f *fileNode) tellSize(ctx context.Context, h *handle) {
	size := h.blob.Size()
	if h.pass || size == 0 {
		f.sizeless.Store(false)
		f.notified("attributes", f.NotifyContent(-1, 0))
		return
	}
	off := (size - 1) / page * page
	buf := make([]byte, size-off)
	if n, err := h.blob.ReadAt(ctx, buf, off); n < len(buf) {
		f.s.log.Warn("last page not read", "err", err)
		return
	}
	f.notified("content", f.NotifyContent(0, 0))
	f.notified("last page", f.WriteCache(off, buf))
	f.sizeless.Store(false)
}

// notified logs a notification that failed, which costs freshness, not
// correctness. ENOENT says that the kernel knows nothing that could be outdated.
func (f *fileNode) notified(what string, errno syscall.Errno) {
	if errno != 0 && errno != unix.ENOENT {
		f.s.log.Warn("kernel not notified", "what", what, "err", errno)
	}
}

// handle is an open file.
type handle struct {
	n     *fileNode
	blob  vfs.Blob
	local *os.File // the same bytes in a file, nil if there is none; the blob's
	pass  bool     // the kernel reads the file itself

	refusal refusal
}

// A refusal is a failed read that answers others for a moment. When the read of
// a few pages fails, the kernel asks for each of them again: each would wait
// as long as the first, and a program would wait for them all.
type refusal struct {
	mu    sync.Mutex
	errno syscall.Errno // guarded by mu
	until time.Time     // guarded by mu
}

const refusalTime = time.Second

func (r *refusal) set(errno syscall.Errno) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errno, r.until = errno, time.Now().Add(refusalTime)
}

func (r *refusal) fresh() (syscall.Errno, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.errno, time.Now().Before(r.until)
}

var (
	_ fusenode.FilePassthroughFder = (*handle)(nil)
	_ fusenode.FileReader          = (*handle)(nil)
	_ fusenode.FileLseeker         = (*handle)(nil)
	_ fusenode.FileReleaser        = (*handle)(nil)
)

// PassthroughFd gives the inode's backing file.
func (h *handle) PassthroughFd() (int, bool) {
	if !h.pass {
		return 0, false
	}
	return h.n.io.fd(), true
}

// Read gives exactly what is there, or an error: never less.
func (h *handle) Read(ctx context.Context, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	want := int(min(int64(len(dest)), max(h.blob.Size()-off, 0)))
	h.n.s.stats.reads.Add(1)
	h.n.s.stats.bytes.Add(int64(want))
	if f, at, ok := h.source(off, want); ok {
		return fuse.ReadResultFd(f.Fd(), at, want), 0
	}
	if errno, fresh := h.refusal.fresh(); fresh {
		return nil, errno
	}
	patient, stop := h.n.s.patient(ctx)
	defer stop()
	n, err := h.blob.ReadAt(patient, dest[:want], off)
	if n < want {
		return nil, h.failed(err)
	}
	return fuse.ReadResultData(dest[:n]), 0
}

// source gives a file with the bytes, which the kernel then takes without a copy.
func (h *handle) source(off int64, n int) (f *os.File, at int64, ok bool) {
	if h.local != nil {
		return h.local, off, true
	}
	if filed, can := h.blob.(vfs.Filed); can {
		return filed.Source(off, int64(n))
	}
	return nil, 0, false
}

// failed translates what ended a read. One that was given up by its own caller
// says nothing about others.
func (h *handle) failed(err error) syscall.Errno {
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	errno := h.n.s.errno("read", err)
	if errors.Is(err, materialize.ErrCorrupt) {
		h.n.wrong.Store(true)
	}
	if !errors.Is(err, errDying) {
		h.refusal.set(errno)
	}
	return errno
}

// Lseek answers SEEK_DATA and SEEK_HOLE from the local file, or from what the blob
// tells; else all is data.
func (h *handle) Lseek(_ context.Context, off uint64, whence uint32) (uint64, syscall.Errno) {
	if h.local != nil {
		// Moves the descriptor's offset, which nobody uses.
		n, err := unix.Seek(int(h.local.Fd()), int64(off), int(whence))
		if err != nil {
			return 0, fusenode.ToErrno(err)
		}
		return uint64(n), 0
	}
	size := uint64(h.blob.Size())
	if off >= size {
		return 0, unix.ENXIO
	}
	data, hole, ok := off, size, true
	if s, sparse := h.blob.(vfs.Sparse); sparse {
		data, hole, ok = nextData(s, off)
	}
	switch {
	case whence == unix.SEEK_DATA && !ok:
		return 0, unix.ENXIO
	case whence == unix.SEEK_DATA:
		return data, 0
	case whence == unix.SEEK_HOLE && (!ok || off < data):
		return off, 0 // it is in a hole already
	case whence == unix.SEEK_HOLE:
		return min(hole, size), 0
	}
	return 0, unix.EINVAL
}

// nextData gives the run of data at or after off. Ranges that follow one another are
// one.
func nextData(s vfs.Sparse, off uint64) (data, hole uint64, ok bool) {
	start, end, ok := s.Data(int64(off))
	for more := ok; more; {
		var next, until int64
		if next, until, more = s.Data(end); more && next > end {
			break
		}
		end = max(end, until)
	}
	return max(uint64(start), off), uint64(end), ok
}

// Release closes the blob. It comes after the last close and the last unmap;
// its ctx identifies it, see bridge.Release.
func (h *handle) Release(ctx context.Context) syscall.Errno {
	h.n.s.releasing.Store(ctx.Done(), h)
	if err := h.blob.Close(); err != nil {
		h.n.s.log.Warn("close", "err", err)
	}
	return 0
}
