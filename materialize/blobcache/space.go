package blobcache

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// errRoom means that the cache can't take more.
var errRoom = fmt.Errorf("no room in the cache: %w", syscall.ENOSPC)

// reserve makes room for n bytes of an entry before they are fetched. Where nothing
// can be given up, bytes that a reader waits for may go beyond the quota: they can
// be given up as soon as they are read, so that an object larger than the quota
// streams. Nothing goes beyond the floor.
func (c *Cache) reserve(e *entry, n int64, why reason, name string) error {
	for {
		idle := c.nextIdle()
		err := c.tryReserve(e, n, why, name)
		if err == nil || why != forWhole || !errors.Is(err, errRoom) || !c.idleSoon(e, idle) {
			return err
		}
		select {
		case <-idle:
		case <-c.ctx.Done():
		}
		c.unstick(e)
		if c.ctx.Err() != nil {
			return errClosed
		}
	}
}

// nextIdle is closed when the next entry loses its last user.
func (c *Cache) nextIdle() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.idle
}

// idleSoon says whether something may be given up that could not be when idle was
// asked for: nobody has it open, what is still being fetched of it ends by itself,
// and does not wait for room itself. Then e counts as waiting until unstick.
func (c *Cache) idleSoon(e *entry, idle <-chan struct{}) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	soon := c.idle != idle
	for _, other := range c.entries {
		soon = soon || other != e && other.bytes > 0 && other.working > 0 && other.working == other.users &&
			other.stuck == 0 && !c.pinned[other.key]
	}
	if soon {
		e.stuck++
	}
	return soon
}

func (c *Cache) unstick(e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e.stuck--
}

// tryReserve makes room as far as that is possible now.
func (c *Cache) tryReserve(e *entry, n int64, why reason, name string) error {
	c.room.Lock()
	defer c.room.Unlock()
	for {
		quota, floor, err := c.lack(n)
		switch {
		case err != nil:
			return err
		case quota <= 0 && floor <= 0:
			c.account(e, n)
			return nil
		case c.evict():
		case floor <= 0 && why == forReader:
			c.account(e, n)
			return nil
		default:
			return c.roomFailure(name, n, floor > 0)
		}
	}
}

// lack is by how many bytes the quota, or the floor, would be missed with n more.
func (c *Cache) lack(n int64) (quota, floor int64, err error) {
	var free int64
	if c.cfg.Floor > 0 {
		if free, err = freeBytes(c.cfg.Dir); err != nil {
			return 0, 0, fmt.Errorf("ask for the free space of %s: %w", c.cfg.Dir, err)
		}
		floor = c.cfg.Floor
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	quota = c.bytes + n - c.cfg.Quota
	if c.cfg.Floor > 0 {
		floor += n + c.pending - free
	}
	return quota, floor, nil
}

// roomFailure says why there is no room, and what to do about it.
func (c *Cache) roomFailure(name string, n int64, disk bool) error {
	err := fmt.Errorf("%w: %d bytes more do not fit into the quota of %d", errRoom, n, c.cfg.Quota)
	hint := "give the cache a larger quota, or unpin what is not needed"
	if disk {
		err = fmt.Errorf("%w: %d bytes more leave less than %d free on the disk of %s", errRoom, n, c.cfg.Floor, c.cfg.Dir)
		hint = "free space on the disk of " + c.cfg.Dir
	}
	return spaceFailure(name, hint, err)
}

// account books n more bytes for an entry, which are not on the disk yet.
func (c *Cache) account(e *entry, n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending += n
	if !e.gone {
		c.bytes += n
		e.bytes += n
	}
}

// unreserve takes back what was booked and did not come.
func (c *Cache) unreserve(e *entry, n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending -= n
	if !e.gone {
		c.bytes -= n
		e.bytes -= n
	}
}

// arrived says that n booked bytes are written.
func (c *Cache) arrived(e *entry, n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending -= n
	e.present.Add(n)
}

// freed says that n bytes were taken away.
func (c *Cache) freed(e *entry, n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e.present.Add(-n)
	if !e.gone {
		c.bytes -= n
		e.bytes -= n
	}
}

// freeBytes is what an unprivileged process may still write.
func freeBytes(path string) (int64, error) {
	var st unix.Statfs_t
	for {
		err := unix.Statfs(path, &st)
		if !errors.Is(err, unix.EINTR) {
			return int64(st.Bavail) * st.Bsize, err
		}
	}
}
