package bench

import (
	"path/filepath"
	"testing"
	"time"
)

// The first image of a commit: the base disk by the offline writer, against the one that
// the virtual machine writes. Both roots are ext4.
func BenchmarkArtifactsWriters(b *testing.B) {
	needAll(b)
	dir := filepath.Join(shared.dir, "appliances")
	appliances(b, dir)
	var machine, offline []cost
	for b.Loop() {
		for range rounds {
			machine = append(machine, written(b, "supermin", filepath.Join(dir, "cosafs")))
			offline = append(offline, written(b, "offline", filepath.Join(dir, "cosafs")))
		}
	}
	r := row{label(b.Name()) + ", the virtual machine the peer", median(machine), median(offline)}
	r.tell(b)
	b.ReportMetric(r.peer.wall.Seconds(), "supermin-s")
	b.ReportMetric(r.cosafs.wall.Seconds(), "offline-s")
}

// variant gives a copy of the configuration whose image.yaml sed has changed.
func (c cosafs) variant(script string) string {
	c.Helper()
	dir := filepath.Join(c.dir, "config")
	c.run("cp", "-a", config(c), dir)
	c.run("sed", "-i", script, filepath.Join(dir, "image.yaml"))
	c.run("git", "-C", dir, "-c", "user.name=bench", "-c", "user.email=bench@localhost", "commit", "-qam", "variant")
	return dir
}

// written composes off the clock and says what a writer's disk and its image cost.
func written(b *testing.B, writer, appliances string) cost {
	b.Helper()
	c := newCosafs(b)
	defer c.remove()
	c.cosafs("init", c.variant("s/^rootfs: xfs$/rootfs: ext4/"))
	c.link(appliances, filepath.Join(c.work, "cache", "cosafs", "appliance"))
	c.cosafs("build", "ostree")
	cpu, began := c.cost.cpu, time.Now()
	c.cosafs("--writer", writer, "extend", "metal")
	return cost{time.Since(began), c.cost.cpu - cpu}
}
