package view

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// What the qcow2 format leaves to its writer is what qemu-img convert chooses.
// https://gitlab.com/qemu-project/qemu/-/blob/v7.2.0/docs/interop/qcow2.txt
const (
	qcow2ClusterBits = 16
	qcow2Cluster     = 1 << qcow2ClusterBits // bytes
	// qcow2Entries is how many entries a cluster of an L1, L2 or refcount table holds.
	qcow2Entries = qcow2Cluster / 8
	// qcow2Refcounts is how many 16-bit refcounts a cluster holds.
	qcow2Refcounts = qcow2Cluster / 2
	// qcow2Max is the largest disk that qemu opens: its L1 table has 32 MiB.
	qcow2Max = (32 << 20 / 8) * qcow2Entries * qcow2Cluster
	// qcow2Copied in an entry says that the cluster has a refcount of one.
	qcow2Copied = 1 << 63
)

// A qcow2 is a disk as a qcow2 file: header, L1 table, L2 tables, refcount table,
// refcount blocks, then the disk's clusters in their order. So a sequential read
// of the file is one of the disk.
type qcow2 struct {
	sections
	disk        Image
	virtualSize int64
	runs        clusterRuns
	l2          []int64 // numbers of the L2 tables that exist, ascending

	// The first cluster of each section in the file.
	l1At, l2At, tableAt, blocksAt, dataAt int64
	// l1Size is the L1 table's number of entries.
	l1Size int64
}

// QCOW2 shows a disk as a qcow2 file, version 3, with clusters of 64 KiB. A cluster
// of which any byte lies in an extent of base is in the file whole, others aren't.
// All tables are computed as they are read; 24 bytes of memory for each run of
// clusters with data are what the view costs.
//
// The disk in it has virtualSize bytes, zeros after base's end; qemu counts disks
// in sectors, so virtualSize is rounded up to 512. The error is [fs.ErrInvalid] if
// base is larger than that, or the disk larger than the format allows (2 PiB).
func QCOW2(base Image, virtualSize int64) (Image, error) {
	size, err := diskSize(base, virtualSize, 512, qcow2Max)
	if err != nil {
		return nil, fmt.Errorf("qcow2 view: %w", err)
	}
	q := &qcow2{disk: base, virtualSize: size, runs: findClusterRuns(base)}
	q.l2 = q.runs.l2Tables()
	q.l1Size = ceilDiv(size, qcow2Entries*qcow2Cluster)
	q.place()
	return q, nil
}

// Next says that the whole file is data: tables, and clusters as qemu-img writes
// them, whole.
func (q *qcow2) Next(off int64) (Extent, bool) {
	return Extent{off, q.Size()}, off < q.Size()
}

// place gives every section its clusters.
func (q *qcow2) place() {
	l1 := ceilDiv(q.l1Size, qcow2Entries)
	l2, data := int64(len(q.l2)), q.runs.clusters()
	table, blocks := refcountClusters(1 + l1 + l2 + data)
	q.l1At = q.add(1, q.readHeader)
	q.l2At = q.add(l1, tableOf(q.l1Entry))
	q.tableAt = q.add(l2, tableOf(q.l2Entry))
	q.blocksAt = q.add(table, tableOf(q.refcountEntry))
	q.dataAt = q.add(blocks, q.readRefcounts)
	q.append(section{end: data * qcow2Cluster, read: q.readData, run: q.runOfData})
}

// add adds a section of some clusters and gives the cluster after it.
func (q *qcow2) add(clusters int64, read readFunc) int64 {
	q.sections.add(clusters*qcow2Cluster, read)
	return q.Size() / qcow2Cluster
}

// refcountClusters is how many clusters the refcount table and its blocks need in
// a file with others beside them; they count themselves too.
func refcountClusters(others int64) (table, blocks int64) {
	for {
		b := ceilDiv(others+table+blocks, qcow2Refcounts)
		t := ceilDiv(b, qcow2Entries)
		if b == blocks && t == table {
			return table, blocks
		}
		table, blocks = t, b
	}
}

// readHeader reads the header's cluster. The header is what qemu-img convert
// writes, without the table of feature names, which is optional.
func (q *qcow2) readHeader(p []byte, off int64) error {
	var h [112]byte
	be := binary.BigEndian
	copy(h[0:], "QFI\xfb")
	be.PutUint32(h[4:], 3) // version
	be.PutUint32(h[20:], qcow2ClusterBits)
	be.PutUint64(h[24:], uint64(q.virtualSize))
	be.PutUint32(h[36:], uint32(q.l1Size))
	be.PutUint64(h[40:], uint64(q.l1At*qcow2Cluster))
	be.PutUint64(h[48:], uint64(q.tableAt*qcow2Cluster))
	be.PutUint32(h[56:], uint32(q.blocksAt-q.tableAt))
	be.PutUint32(h[96:], 4) // refcounts have 1<<4 bits
	be.PutUint32(h[100:], uint32(len(h)))
	clear(p) // zeros after the header say that no extensions follow
	if off < int64(len(h)) {
		copy(p, h[off:])
	}
	return nil
}

// readData reads the clusters that hold data, off bytes into them.
func (q *qcow2) readData(p []byte, off int64) error {
	for i := q.runs.holdingData(off / qcow2Cluster); len(p) > 0; i++ {
		r := q.runs[i]
		skip := off - r.data*qcow2Cluster
		n := min(int64(len(p)), r.count*qcow2Cluster-skip)
		if err := readPadded(q.disk, p[:n], r.disk*qcow2Cluster+skip); err != nil {
			return err
		}
		p, off = p[n:], off+n
	}
	return nil
}

// runOfData tells where the clusters that hold data lie, from off bytes into them on.
func (q *qcow2) runOfData(off int64) Run {
	r := q.runs[q.runs.holdingData(off/qcow2Cluster)]
	shift := (r.data - r.disk) * qcow2Cluster // from the disk to the data
	end := (r.disk + r.count) * qcow2Cluster
	return paddedRun(q.disk, off-shift, end).moved(shift)
}

// diskSize is the size of the disk that shows base: the one that is asked for,
// in whole units.
func diskSize(base Image, size, unit, limit int64) (int64, error) {
	if size < base.Size() || size > limit {
		return 0, fmt.Errorf("size %d: must be from %d, which the disk has, to %d: %w",
			size, base.Size(), limit, fs.ErrInvalid)
	}
	return ceilDiv(size, unit) * unit, nil
}

// readPadded reads a disk as if zeros without end came after it. An error leaves
// p undefined.
func readPadded(im Image, p []byte, off int64) error {
	n := max(0, min(int64(len(p)), im.Size()-off))
	clear(p[n:])
	if n == 0 {
		return nil
	}
	switch got, err := im.ReadAt(p[:n], off); {
	case int64(got) == n:
		return nil
	case err == nil || errors.Is(err, io.EOF):
		return fmt.Errorf("the disk ends at byte %d of %d: %w", off+int64(got), im.Size(), io.ErrUnexpectedEOF)
	default:
		return err
	}
}

// ceilDiv is a/b, rounded up.
func ceilDiv(a, b int64) int64 { return (a + b - 1) / b }
