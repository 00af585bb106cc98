package fusefs

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"syscall"

	fusenode "github.com/hanwen/go-fuse/v2/fs"
	"golang.org/x/sys/unix"
)

// knownBuilds is how many builds the kernel may keep in mind. It remembers all
// names that were ever looked up, as long as it has memory to spare, and this
// process has to remember them as long as it does: a walk over ten thousand
// builds would cost hundreds of megabytes here.
const knownBuilds = 1000

// A pruner has the kernel forget the builds that were looked up longest ago. What
// is in use (open files, working directories) stays. Kernels before 6.18 don't
// take such advice; they forget when they need the memory.
type pruner struct {
	wake chan struct{} // holds a token when there are too many

	mu    sync.Mutex               // guards what follows
	order *list.List               // names at the root, looked up longest ago first
	at    map[string]*list.Element // by name
}

func newPruner() *pruner {
	return &pruner{wake: make(chan struct{}, 1), order: list.New(), at: map[string]*list.Element{}}
}

// saw notes that the kernel knows a name at the root.
func (p *pruner) saw(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e, ok := p.at[name]; ok {
		p.order.MoveToBack(e)
		return
	}
	p.at[name] = p.order.PushBack(name)
	if p.order.Len() > knownBuilds {
		select {
		case p.wake <- struct{}{}:
		default: // the pruner knows
		}
	}
}

// victim takes the name that was looked up longest ago, if there are too many.
func (p *pruner) victim() (string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.order.Len() <= knownBuilds {
		return "", false
	}
	e := p.order.Front()
	name, ok := p.order.Remove(e).(string)
	delete(p.at, name)
	return name, ok
}

// run prunes until ctx ends, or the kernel turns out not to know how. It must not
// be run by who answers requests: the kernel may wait for an answer meanwhile.
func (p *pruner) run(ctx context.Context, root *fusenode.Inode) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		}
		for name, ok := p.victim(); ok; name, ok = p.victim() {
			if errno := prune(root.GetChild(name)); errors.Is(errno, unix.ENOSYS) {
				return
			}
		}
	}
}

// prune has the kernel forget a tree, from its leaves: a directory is in use as
// long as something below it is known. The kernel's word is not needed: what it
// keeps it will ask about.
func prune(top *fusenode.Inode) syscall.Errno {
	if top == nil {
		return 0 // forgotten already
	}
	return top.NotifyPrune(leavesFirst(top, nil))
}

func leavesFirst(n *fusenode.Inode, nodes []*fusenode.Inode) []*fusenode.Inode {
	for _, child := range n.Children() {
		nodes = leavesFirst(child, nodes)
	}
	return append(nodes, n)
}
