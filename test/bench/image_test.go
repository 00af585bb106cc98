package bench

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// rounds of a comparison; each runs both sides.
const rounds = 3

// From the configuration in an empty directory to a qcow2 that qemu-img reads:
// cosafs by opening it in a mount, and the same steps as scripts. Once with the
// helper machine there already, once making it, too.
func BenchmarkMissingImage(b *testing.B) {
	needAll(b)
	b.Run("appliance=there", func(b *testing.B) {
		dir := filepath.Join(shared.dir, "appliances")
		appliances(b, dir)
		compareImages(b, filepath.Join(dir, "peer"), filepath.Join(dir, "cosafs"))
	})
	b.Run("appliance=made", func(b *testing.B) { compareImages(b, "", "") })
}

// appliances makes both sides' off the clock, which also warms all caches.
func appliances(b *testing.B, dir string) {
	b.Helper()
	if _, err := os.Stat(dir); err == nil {
		return
	}
	if err := os.MkdirAll(filepath.Join(dir, "cosafs"), 0o755); err != nil {
		b.Fatal(err)
	}
	p := newPeer(b, filepath.Join(dir, "peer"))
	p.script("appliance.sh")
	image, _ := p.image(filepath.Join(dir, "peer"))
	p.boots(image)
	p.remove()
	c := newCosafs(b)
	c.image(filepath.Join(dir, "cosafs"))
	c.remove()
}

// compareImages lets both sides make images in turns.
func compareImages(b *testing.B, peerAppliance, cosafsAppliances string) {
	b.Helper()
	var peers, ours []cost
	for b.Loop() {
		for range rounds {
			p := newPeer(b, peerAppliance)
			_, cost := p.image(peerAppliance)
			peers = append(peers, cost)
			p.remove()
			c := newCosafs(b)
			cost = c.image(cosafsAppliances)
			ours = append(ours, cost)
			c.remove()
			b.Logf("scripts %v, cosafs %v", peers[len(peers)-1], cost)
		}
	}
	r := row{label(b.Name()), median(peers), median(ours)}
	r.tell(b)
	b.ReportMetric(r.peer.wall.Seconds(), "scripts-s")
	b.ReportMetric(r.cosafs.wall.Seconds(), "cosafs-s")
}

func (c cost) String() string {
	return fmt.Sprintf("%.1f s (CPU %.1f s)", c.wall.Seconds(), c.cpu.Seconds())
}

// cosafs is the program on a new build directory.
type cosafs struct {
	*bench
	program, work, mnt string
	pid                int // the daemon's, in mounted
}

func newCosafs(tb testing.TB) cosafs {
	tb.Helper()
	config(tb) // off the clock
	b := newBench(tb)
	c := cosafs{bench: b, program: program(tb), work: filepath.Join(b.dir, "work"), mnt: filepath.Join(b.dir, "mnt")}
	if err := os.Mkdir(c.mnt, 0o755); err != nil {
		tb.Fatal(err)
	}
	return c
}

func (c cosafs) cosafs(args ...string) string {
	c.Helper()
	return c.run(c.program, append([]string{"--workdir", c.work}, args...)...)
}

// image makes an image from nothing and says what that took. appliances is
// where they are kept, "" = nowhere yet.
func (c cosafs) image(appliances string) cost {
	c.Helper()
	began := time.Now()
	c.cosafs("init", config(c))
	if appliances != "" {
		c.link(appliances, filepath.Join(c.work, "cache", "cosafs", "appliance"))
	}
	c.cosafs("mount", c.mnt)
	defer c.cosafs("umount", c.mnt)
	c.isQcow2(filepath.Join(c.mnt, "next", "x86_64", "qemu.qcow2"))
	wall := time.Since(began)
	return cost{wall, c.cost.cpu + c.daemonCPU(c.daemonPID())}
}

func (c cosafs) link(target, name string) {
	c.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		c.Fatal(err)
	}
	if err := os.Symlink(target, name); err != nil {
		c.Fatal(err)
	}
}

// daemonPID is the mount's daemon.
func (c cosafs) daemonPID() int {
	c.Helper()
	var st struct{ PID int }
	if err := json.Unmarshal([]byte(c.cosafs("--json", "status")), &st); err != nil {
		c.Fatal(err)
	}
	return st.PID
}

// daemonCPU is what the mount's daemon used, with all programs that it ran:
// utime, stime, cutime and cstime of proc(5), in ticks of 10 ms.
func (c cosafs) daemonCPU(pid int) time.Duration {
	c.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		c.Fatal(err)
	}
	text := string(b)
	var ticks, n time.Duration
	// The name, in parentheses, may hold spaces; utime is the 14th field.
	for _, field := range strings.Fields(text[strings.LastIndexByte(text, ')')+1:])[11:15] {
		if _, err := fmt.Sscan(field, &n); err != nil {
			c.Fatal(err)
		}
		ticks += n
	}
	return ticks * 10 * time.Millisecond
}
