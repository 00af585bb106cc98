package pack

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"io/fs"
	"runtime"

	"golang.org/x/sync/errgroup"

	"cosafs/materialize/disk/view"
)

// Sizes of a stream-optimised VMDK (VMware, Virtual Disk Format 5.0), in sectors
// where nothing else is said.
const (
	vmdkSector  = 512       // bytes
	vmdkGrain   = 128       // what is compressed together
	vmdkTable   = 512       // entries of a grain table
	vmdkText    = 20        // the descriptor, as qemu-img has it
	vmdkStart   = vmdkGrain // where the grains begin
	vmdkRegion  = 1 << 20   // bytes that are read together: 16 grains, of one grain table
	vmdkLargest = 2 << 40   // bytes; entries of tables are sectors of 32 bits
)

// VMDKOptions are for [VMDK].
type VMDKOptions struct {
	Name string // file name that the descriptor tells; "" is disk.vmdk
	// Seed tells this disk from others; the content id (CID) follows from it.
	Seed     string
	Adapter  string // lsilogic or ide; "" is lsilogic
	Hardware string // version of VMware's virtual hardware; "" is 6
	Level    int    // of zlib, 1 to 9; 0 is 6, which qemu-img has
	Workers  int    // 0 is one a CPU
}

// VMDK writes a disk as one stream: a header, compressed grains of what has data, their
// tables behind them, and a footer that says where these are. Nothing is ever written
// twice, so w can be a pipe. Equal disks and options give equal bytes, whatever Workers
// is. A size of 2 TiB or more, or of no whole sectors, is fs.ErrInvalid.
func VMDK(ctx context.Context, w io.Writer, disk view.Image, o VMDKOptions) error {
	if size := disk.Size(); size%vmdkSector != 0 || size >= vmdkLargest {
		return fmt.Errorf("write VMDK: a disk of %d bytes: %w", size, fs.ErrInvalid)
	}
	if o.Level == 0 {
		o.Level = 6
	}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	buffered := bufio.NewWriterSize(w, vmdkRegion)
	out := &vmdkStream{w: buffered, table: -1, capacity: disk.Size() / vmdkSector}
	err := out.begin(o)
	if err == nil {
		err = writeGrains(ctx, out, disk, o)
	}
	if err == nil {
		err = out.end()
	}
	if err == nil {
		err = buffered.Flush()
	}
	if err != nil {
		return fmt.Errorf("write VMDK: %w", err)
	}
	return nil
}

// writeGrains compresses as many regions at once as there are workers.
func writeGrains(ctx context.Context, out *vmdkStream, disk view.Image, o VMDKOptions) error {
	g, ctx := errgroup.WithContext(ctx)
	queue := make(chan chan []byte, o.Workers-1)
	g.Go(func() error { return writeChunks(ctx, out, queue) })
	g.Go(func() error {
		defer close(queue)
		packer := newGrainPacker(o.Level)
		return eachRegion(disk, func(start int64, data []byte) error {
			return enqueue(ctx, g, queue, data, nil, func(data, _ []byte) ([]byte, error) {
				return packer.pack(start/vmdkSector, data)
			})
		})
	})
	return g.Wait()
}

// eachRegion reads the regions that have data, in order. The last may be shorter.
func eachRegion(disk view.Image, do func(start int64, data []byte) error) error {
	end := int64(0) // of the region before
	for e, ok := disk.Next(0); ok; e, ok = disk.Next(end) {
		start := max(end, e.Start-e.Start%vmdkRegion)
		data := make([]byte, min(vmdkRegion, disk.Size()-start))
		if n, err := disk.ReadAt(data, start); n < len(data) {
			return fmt.Errorf("read at %d: %w", start, err)
		}
		if err := do(start, data); err != nil {
			return err
		}
		end = start + vmdkRegion
		if end >= disk.Size() {
			return nil
		}
	}
	return nil
}
