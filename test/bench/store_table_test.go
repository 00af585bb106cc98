package bench

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// A storeTable has what all peers read over one network.
type storeTable struct {
	name  string
	peers []string // in order
	turns map[string][]reading
}

func (t *storeTable) add(peer string, r reading) {
	if t.turns == nil {
		t.turns = map[string][]reading{}
	}
	if t.turns[peer] == nil {
		t.peers = append(t.peers, peer)
	}
	t.turns[peer] = append(t.turns[peer], r)
}

// A column is one of the things that are measured.
type column struct {
	name string
	of   func(reading) float64
	less bool // less is better
}

func columns() []column {
	return []column{
		{"first ms", func(r reading) float64 { return float64(r.first.Microseconds()) / 1000 }, true},
		{"cold MB/s", func(r reading) float64 { return r.cold }, false},
		{"4k t1/s", func(r reading) float64 { return r.rand4[0] }, false},
		{"4k t8/s", func(r reading) float64 { return r.rand4[1] }, false},
		{"64k t1/s", func(r reading) float64 { return r.rand64[0] }, false},
		{"64k t8/s", func(r reading) float64 { return r.rand64[1] }, false},
		{"warm MB/s", func(r reading) float64 { return r.warm }, false},
		{"CPU s/GiB", func(r reading) float64 { return r.cpu }, true},
		{"peak MiB", func(r reading) float64 { return r.peak }, true},
	}
}

// value is a peer's median.
func (t *storeTable) value(peer string, c column) float64 {
	all := []float64{}
	for _, r := range t.turns[peer] {
		all = append(all, c.of(r))
	}
	return middle(all)
}

// best is the best of the other programs' values.
func (t *storeTable) best(c column) float64 {
	all := []float64{}
	for _, peer := range t.peers {
		if v := t.value(peer, c); peer != raw && peer != cosaFS && v > 0 {
			all = append(all, v)
		}
	}
	switch {
	case len(all) == 0:
		return 0
	case c.less:
		return slices.Min(all)
	default:
		return slices.Max(all)
	}
}

// tell prints the table and reports ratios of cosafs.
func (t *storeTable) tell(b *testing.B) {
	b.Helper()
	if err := t.print(os.Stdout); err != nil {
		b.Error(err)
	}
	b.ReportMetric(0, "ns/op") // it is that of all together
	for _, c := range columns() {
		name := strings.ReplaceAll(c.name[:strings.LastIndexAny(c.name, " /")], " ", "-")
		if v := per(t.value(cosaFS, c), t.value(raw, c)); v > 0 {
			b.ReportMetric(v, name+"/raw")
		}
		if v := per(t.value(cosaFS, c), t.best(c)); v > 0 {
			b.ReportMetric(v, name+"/best")
		}
	}
}

func (t *storeTable) print(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	head := []string{"\n" + t.name}
	for _, c := range columns() {
		head = append(head, c.name)
	}
	lines := []string{strings.Join(head, "\t")}
	for _, peer := range t.peers {
		lines = append(lines, t.line(peer, func(c column) float64 { return t.value(peer, c) }))
	}
	lines = append(lines,
		t.line("cosafs / raw", func(c column) float64 { return per(t.value(cosaFS, c), t.value(raw, c)) }),
		t.line("cosafs / best other", func(c column) float64 { return per(t.value(cosaFS, c), t.best(c)) }))
	_, err := fmt.Fprintln(tw, strings.Join(lines, "\t\n")+"\t")
	return errors.Join(err, tw.Flush())
}

// line has a value for each column, or nothing where there is none.
func (t *storeTable) line(name string, of func(column) float64) string {
	cells := []string{name}
	for _, c := range columns() {
		cell := ""
		if v := of(c); v > 0 {
			cell = strconv.FormatFloat(v, 'g', 3, 64)
			if v >= 1000 {
				cell = strconv.FormatFloat(v, 'f', 0, 64)
			}
		}
		cells = append(cells, cell)
	}
	return strings.Join(cells, "\t")
}

// per is a / b, 0 where there is nothing to compare.
func per(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// middle is the median.
func middle(all []float64) float64 {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// A processWatch measures what a process uses.
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
	if pid != 0 {
		w.before = cosafs{bench: &bench{TB: tb}}.daemonCPU(pid)
	}
	go w.sample()
	return w
}

// sample finds the peak of anonymous memory.
func (w *processWatch) sample() {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	peak := 0.0
	for {
		peak = max(peak, anonymous(w.pid))
		select {
		case <-tick.C:
		case <-w.stop:
			w.peak <- peak
			return
		}
	}
}

// end gives CPU seconds a GiB and the peak in MiB.
func (w *processWatch) end(read int64) (cpu, peak float64) {
	w.tb.Helper()
	close(w.stop)
	peak = <-w.peak
	if w.pid != 0 {
		used := cosafs{bench: &bench{TB: w.tb}}.daemonCPU(w.pid) - w.before
		cpu = used.Seconds() * (1 << 30) / float64(read)
	}
	return cpu, peak
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
