package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A processWatch measures what a process and its descendants use.
type processWatch struct {
	tb     testing.TB
	pid    int
	before time.Duration
	stop   chan struct{}
	peak   chan float64
}

// watchProcess begins to watch a process; 0 is none.
func watchProcess(tb testing.TB, pid int) *processWatch {
	tb.Helper()
	w := &processWatch{tb: tb, pid: pid, stop: make(chan struct{}), peak: make(chan float64, 1)}
	w.before = w.used()
	go w.sample()
	return w
}

// used is the processor time of all of them so far.
func (w *processWatch) used() time.Duration {
	w.tb.Helper()
	var sum time.Duration
	for _, pid := range family(w.pid) {
		sum += cosafs{bench: &bench{TB: w.tb}}.daemonCPU(pid)
	}
	return sum
}

// sample finds the peak of anonymous memory.
func (w *processWatch) sample() {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	peak := 0.0
	for {
		peak = max(peak, familyMemory(w.pid))
		select {
		case <-tick.C:
		case <-w.stop:
			w.peak <- peak
			return
		}
	}
}

// end gives CPU seconds and the peak in MiB.
func (w *processWatch) end() (cpu time.Duration, peak float64) {
	w.tb.Helper()
	close(w.stop)
	peak = <-w.peak
	return w.used() - w.before, peak
}

// perGiB gives CPU seconds a GiB.
func perGiB(cpu time.Duration, read int64) float64 { return cpu.Seconds() * (1 << 30) / float64(read) }

// family is a process with its descendants; 0 has none.
func family(pid int) []int {
	if pid == 0 {
		return nil
	}
	all := []int{pid}
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return all
	}
	for _, path := range lists {
		data, err := os.ReadFile(path)
		if err != nil {
			continue // the thread ended
		}
		for _, child := range strings.Fields(string(data)) {
			if n, err := strconv.Atoi(child); err == nil {
				all = append(all, family(n)...)
			}
		}
	}
	return all
}

// familyMemory is the anonymous memory of a process and its descendants in MiB.
func familyMemory(pid int) float64 {
	sum := 0.0
	for _, pid := range family(pid) {
		sum += anonymous(pid)
	}
	return sum
}

// anonymous is a process's anonymous memory in MiB; 0 if it can't be said.
func anonymous(pid int) float64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(data), "\nRssAnon:")
	line, _, _ := strings.Cut(rest, "\n")
	kb, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(line, "kB")), 64)
	if err != nil {
		return 0
	}
	return kb / 1024
}
