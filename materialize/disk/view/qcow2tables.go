package view

import (
	"encoding/binary"
	"slices"
)

// tableOf reads a table of 64-bit big-endian entries that are computed one by one.
func tableOf(entry func(i int64) uint64) readFunc {
	return func(p []byte, off int64) error {
		var b [8]byte
		for len(p) > 0 {
			binary.BigEndian.PutUint64(b[:], entry(off/8))
			n := copy(p, b[off%8:])
			p, off = p[n:], off+int64(n)
		}
		return nil
	}
}

// l1Entry tells where L2 table i is; no table for 512 MiB without data.
func (q *qcow2) l1Entry(i int64) uint64 {
	k, ok := slices.BinarySearch(q.l2, i)
	if !ok {
		return 0
	}
	return uint64(q.l2At+int64(k))*qcow2Cluster | qcow2Copied
}

// l2Entry tells where a cluster of the disk is. The L2 tables follow each other in
// the file, so i counts the entries of all that exist.
func (q *qcow2) l2Entry(i int64) uint64 {
	cluster := q.l2[i/qcow2Entries]*qcow2Entries + i%qcow2Entries
	data, ok := q.runs.data(cluster)
	if !ok {
		return 0
	}
	return uint64(q.dataAt+data)*qcow2Cluster | qcow2Copied
}

// refcountEntry tells where refcount block i is.
func (q *qcow2) refcountEntry(i int64) uint64 {
	if q.blocksAt+i >= q.dataAt {
		return 0
	}
	return uint64(q.blocksAt+i) * qcow2Cluster
}

// readRefcounts reads 16-bit big-endian refcounts: one for each cluster of the file.
func (q *qcow2) readRefcounts(p []byte, off int64) error {
	for i := range p {
		at := off + int64(i)
		p[i] = 0
		if at/2 < q.Size()/qcow2Cluster {
			p[i] = byte(at % 2)
		}
	}
	return nil
}
