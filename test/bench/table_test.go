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
)

// A table has what peers that took turns measured: an R for each turn.
type table[R any] struct {
	name    string
	columns []column[R]
	against []against[R]
	peers   []string // in order
	turns   map[string][]R
}

// A column is one of the things that are measured; 0 is not measured.
type column[R any] struct {
	name string
	of   func(R) float64
	less bool // less is better
}

// An against is what cosafs is compared with in a column.
type against[R any] struct {
	name string
	of   func(t *table[R], c column[R]) float64
}

// peerOf compares with one program.
func peerOf[R any](name string) against[R] {
	return against[R]{name, func(t *table[R], c column[R]) float64 { return t.value(name, c) }}
}

func (t *table[R]) add(peer string, r R) {
	if t.turns == nil {
		t.turns = map[string][]R{}
	}
	if t.turns[peer] == nil {
		t.peers = append(t.peers, peer)
	}
	t.turns[peer] = append(t.turns[peer], r)
}

// value is a peer's median.
func (t *table[R]) value(peer string, c column[R]) float64 {
	all := []float64{}
	for _, r := range t.turns[peer] {
		all = append(all, c.of(r))
	}
	return middle(all)
}

// best is the best of the other programs' values.
func (t *table[R]) best(c column[R]) float64 {
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
func (t *table[R]) tell(b *testing.B) {
	b.Helper()
	if err := t.print(os.Stdout); err != nil {
		b.Error(err)
	}
	b.ReportMetric(0, "ns/op") // it is that of all together
	for _, c := range t.columns {
		name := strings.ReplaceAll(c.name[:strings.LastIndexAny(c.name, " /")], " ", "-")
		for _, a := range t.against {
			if v := per(t.value(cosaFS, c), a.of(t, c)); v > 0 {
				b.ReportMetric(v, name+"/"+strings.ReplaceAll(a.name, " ", "-"))
			}
		}
	}
}

func (t *table[R]) print(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	head := []string{"\n" + t.name}
	for _, c := range t.columns {
		head = append(head, c.name)
	}
	lines := []string{strings.Join(head, "\t")}
	for _, peer := range t.peers {
		lines = append(lines, t.line(peer, func(c column[R]) float64 { return t.value(peer, c) }))
	}
	for _, a := range t.against {
		lines = append(lines, t.line("cosafs / "+a.name, func(c column[R]) float64 { return per(t.value(cosaFS, c), a.of(t, c)) }))
	}
	_, err := fmt.Fprintln(tw, strings.Join(lines, "\t\n")+"\t")
	return errors.Join(err, tw.Flush())
}

// line has a value for each column, or nothing where there is none.
func (t *table[R]) line(name string, of func(column[R]) float64) string {
	cells := []string{name}
	for _, c := range t.columns {
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
