package bench

import (
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// imageSize is that of the image which is read: 512 MiB.
const imageSize = 512 << 20

// Reading a file that exists, through the mount and beside it.
func BenchmarkReadThroughMount(b *testing.B) {
	needTools(b, "root", "fuse", "git")
	c := mounted(b, shape{builds: 1, size: imageSize})
	native := filepath.Join(c.work, "builds", "1.0", arch, imageName("1.0", "qemu"))
	through := filepath.Join(c.mnt, "1.0", arch, imageName("1.0", "qemu"))
	for _, bm := range []struct {
		name string
		do   func(path string) error
	}{
		{"sequential", sequential},
		{"random4k", random4k},
		{"open", openOften},
	} {
		b.Run(bm.name, func(b *testing.B) {
			compare(b, c, func() error { return bm.do(native) }, func() error { return bm.do(through) })
		})
	}
}

// Looking at ten thousand builds: ls -lR on a new mount and again, which asks
// each file for its SELinux label too, and find, which asks for sizes alone.
func BenchmarkListBuilds(b *testing.B) {
	needTools(b, "root", "fuse", "git")
	c := mounted(b, shape{builds: 10_000, size: 1})
	native, through := c.lsR(filepath.Join(c.work, "builds")), c.lsR(c.mnt)
	var first row
	b.Run("first", func(b *testing.B) {
		if first.name == "" { // there is one only
			first = row{label(b.Name()), c.measure(native), c.measure(through)}
		}
		for b.Loop() {
		}
		first.tell(b)
	})
	b.Run("again", func(b *testing.B) { compare(b, c, native, through) })
	b.Run("find", func(b *testing.B) {
		compare(b, c, c.find(filepath.Join(c.work, "builds")), c.find(c.mnt))
	})
}

// find finds all images by size.
func (c cosafs) find(dir string) func() error {
	return func() error {
		if out := c.run("find", dir, "-name", "*.qcow2", "-size", "-2"); strings.Count(out, "\n") != 10_000 {
			return errors.New("find: builds are missing")
		}
		return nil
	}
}

// lsR lists a directory as ls -lR does, and expects all images to be there.
func (c cosafs) lsR(dir string) func() error {
	return func() error {
		if out := c.run("ls", "-lR", dir); strings.Count(out, ".qcow2") < 10_000 {
			return errors.New("ls -lR: builds are missing")
		}
		return nil
	}
}

// compare lets both sides take turns.
func compare(b *testing.B, c cosafs, native, through func() error) {
	b.Helper()
	compareAfter(b, c, func() {}, native, through)
}

// compareAfter calls prepare off the clock before each turn.
func compareAfter(b *testing.B, c cosafs, prepare func(), native, through func() error) {
	b.Helper()
	var peers, ours []cost
	c.measure(native) // warm both
	c.measure(through)
	for b.Loop() {
		for range 2*rounds + 1 {
			prepare()
			peers = append(peers, c.measure(native))
			prepare()
			ours = append(ours, c.measure(through))
		}
	}
	row{label(b.Name()), median(peers), median(ours)}.tell(b)
}

// tell reports a row.
func (r row) tell(b *testing.B) {
	b.Helper()
	shared.report.add(r)
	b.ReportMetric(0, "ns/op") // it is that of both sides together
	b.ReportMetric(r.wall(), "ratio")
	if r.peer.cpu > 0 {
		b.ReportMetric(r.cpu(), "cpu-ratio")
	}
}

// label is a benchmark's name in the report.
func label(name string) string { return strings.TrimPrefix(name, "Benchmark") }

// measure gives the cost of a step, which includes what the daemon does for it.
func (c cosafs) measure(step func() error) cost {
	c.Helper()
	cpu, began := c.used(), time.Now()
	if err := step(); err != nil {
		c.Fatal(err)
	}
	wall := time.Since(began)
	return cost{wall, c.used() - cpu}
}

// used is the processor time that this process, its children and the daemon
// have used so far.
func (c cosafs) used() time.Duration {
	c.Helper()
	total := c.daemonCPU(c.pid)
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var ru syscall.Rusage
		if err := syscall.Getrusage(who, &ru); err != nil {
			c.Fatal(err)
		}
		total += time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
	}
	return total
}

// sequential reads the whole file four times, 1 MiB at once.
func sequential(path string) error {
	buf := make([]byte, 1<<20)
	for range 4 {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{f}, buf)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
		if n != imageSize {
			return io.ErrUnexpectedEOF
		}
	}
	return nil
}

// random4k reads a hundred thousand blocks in an order that is always the same.
func random4k(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	buf := make([]byte, 4096)
	order := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // G404: not a secret
	for range 100_000 {
		if _, err := f.ReadAt(buf, order.Int64N(imageSize/4096)*4096); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return f.Close()
}

// openOften opens the image, reads its first block and closes it, a thousand times.
func openOften(path string) error {
	buf := make([]byte, 4096)
	for range 1000 {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		_, err = f.ReadAt(buf, 0)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return nil
}
