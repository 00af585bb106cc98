package fusefs

import (
	"sync/atomic"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// Stats counts what the kernel asked for since the mount.
type Stats struct {
	Lookups  int64 `json:"lookups"`
	Getattrs int64 `json:"getattrs"`
	Readdirs int64 `json:"readdirs"`
	Opens    int64 `json:"opens"`
	Reads    int64 `json:"reads"` // none for files that the kernel reads itself
	Bytes    int64 `json:"bytes"` // that those reads gave
	// Passthrough counts opens that were handed to the kernel.
	Passthrough int64 `json:"passthrough"`
}

type counters struct {
	lookups, getattrs, readdirs, opens, reads, bytes, passthrough atomic.Int64
}

// Stats gives the counters as they are now.
func (s *Server) Stats() Stats {
	c := &s.stats
	return Stats{
		Lookups: c.lookups.Load(), Getattrs: c.getattrs.Load(), Readdirs: c.readdirs.Load(),
		Opens: c.opens.Load(), Reads: c.reads.Load(), Bytes: c.bytes.Load(), Passthrough: c.passthrough.Load(),
	}
}

// bridge counts requests on their way to the nodes.
type bridge struct {
	fuse.RawFileSystem
	s *Server
}

func (b *bridge) Lookup(cancel <-chan struct{}, h *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	b.s.stats.lookups.Add(1)
	return b.RawFileSystem.Lookup(cancel, h, name, out)
}

func (b *bridge) GetAttr(cancel <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	b.s.stats.getattrs.Add(1)
	return b.RawFileSystem.GetAttr(cancel, in, out)
}

func (b *bridge) ReadDir(cancel <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	b.s.stats.readdirs.Add(1)
	return b.RawFileSystem.ReadDir(cancel, in, out)
}

func (b *bridge) ReadDirPlus(cancel <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	b.s.stats.readdirs.Add(1)
	return b.RawFileSystem.ReadDirPlus(cancel, in, out)
}

func (b *bridge) Open(cancel <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	b.s.stats.opens.Add(1)
	st := b.RawFileSystem.Open(cancel, in, out)
	if st.Ok() && out.OpenFlags&fuse.FOPEN_PASSTHROUGH != 0 {
		b.s.stats.passthrough.Add(1)
	}
	return st
}

// Release lets the handle go in go-fuse before it goes in the inode's count of
// handles. go-fuse drops a reference of the inode's backing file at the end of
// every release; the count must not say 0 before, or an open in between could
// start passthrough and lose its backing file to somebody else's release. The
// channel is this release's identity: handles find nothing else in common with it.
func (b *bridge) Release(_ <-chan struct{}, in *fuse.ReleaseIn) {
	id := (<-chan struct{})(make(chan struct{}))
	b.RawFileSystem.Release(id, in)
	if h, ok := b.s.releasing.LoadAndDelete(id); ok {
		h.(*handle).n.io.leave() //nolint:errcheck // only handles are stored
	}
}
