package view

import "sort"

// A clusterRun is clusters of a disk that hold data and follow each other.
type clusterRun struct {
	disk  int64 // number of the first on the disk
	data  int64 // number of the first among all clusters with data
	count int64
}

// clusterRuns are the clusters of a disk that hold data, ascending; between two
// runs at least one cluster holds none.
type clusterRuns []clusterRun

// findClusterRuns finds the clusters of which any byte lies in an extent of the disk.
func findClusterRuns(disk Image) clusterRuns {
	var rs clusterRuns
	for off := int64(0); ; {
		e, ok := disk.Next(off)
		if !ok {
			return rs
		}
		end := ceilDiv(e.End, qcow2Cluster)
		rs = rs.add(e.Start/qcow2Cluster, end)
		off = end * qcow2Cluster
	}
}

// add adds the clusters from first to end, all after those that there are.
func (rs clusterRuns) add(first, end int64) clusterRuns {
	if n := len(rs); n > 0 && rs[n-1].disk+rs[n-1].count == first {
		rs[n-1].count += end - first
		return rs
	}
	return append(rs, clusterRun{first, rs.clusters(), end - first})
}

// clusters is how many clusters hold data.
func (rs clusterRuns) clusters() int64 {
	if len(rs) == 0 {
		return 0
	}
	last := rs[len(rs)-1]
	return last.data + last.count
}

// data gives the number of a disk's cluster among those with data, if it is one.
func (rs clusterRuns) data(disk int64) (int64, bool) {
	i := sort.Search(len(rs), func(i int) bool { return rs[i].disk+rs[i].count > disk })
	if i == len(rs) || rs[i].disk > disk {
		return 0, false
	}
	return rs[i].data + disk - rs[i].disk, true
}

// holdingData gives the index of the run that has a cluster, by its number among
// those with data.
func (rs clusterRuns) holdingData(data int64) int {
	return sort.Search(len(rs), func(i int) bool { return rs[i].data+rs[i].count > data })
}

// l2Tables gives the numbers of the L2 tables that have an entry for any of the
// clusters, ascending.
func (rs clusterRuns) l2Tables() []int64 {
	var tables []int64
	next := int64(0) // the first that may still be missing
	for _, r := range rs {
		first, last := r.disk/qcow2Entries, (r.disk+r.count-1)/qcow2Entries
		for next = max(next, first); next <= last; next++ {
			tables = append(tables, next)
		}
	}
	return tables
}
