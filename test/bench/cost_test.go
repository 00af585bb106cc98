package bench

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// A cost is what something took.
type cost struct {
	wall time.Duration
	cpu  time.Duration // user and system, of all processes
}

// median gives the medians of both, each by itself.
func median(costs []cost) cost {
	middle := func(of func(cost) time.Duration) time.Duration {
		all := []time.Duration{}
		for _, c := range costs {
			all = append(all, of(c))
		}
		slices.SortFunc(all, cmp.Compare)
		return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
	}
	return cost{middle(func(c cost) time.Duration { return c.wall }), middle(func(c cost) time.Duration { return c.cpu })}
}

// A row of the report compares cosafs with its peer.
type row struct {
	name         string
	peer, cosafs cost
}

func (r row) wall() float64 { return ratio(r.cosafs.wall, r.peer.wall) }
func (r row) cpu() float64  { return ratio(r.cosafs.cpu, r.peer.cpu) }

// ratio is 0 where there is nothing to compare.
func ratio(a, b time.Duration) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// A report is all that a run measured.
type report struct{ rows []row }

// add takes a row, or replaces it: the testing package calls a benchmark again
// with more rounds.
func (r *report) add(n row) {
	i := slices.IndexFunc(r.rows, func(o row) bool { return o.name == n.name })
	if i < 0 {
		r.rows = append(r.rows, n)
		return
	}
	r.rows[i] = n
}

// print writes the table.
func (r *report) print(w io.Writer) error {
	if len(r.rows) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, err := fmt.Fprintln(t, "medians\tpeer, s\tcosafs, s\tratio\tpeer, CPU s\tcosafs, CPU s\tratio\t")
	for _, r := range r.rows {
		_, rerr := fmt.Fprintf(t, "%s\t%.3f\t%.3f\t%.2f\t%s\t%s\t%s\t\n", r.name, r.peer.wall.Seconds(), r.cosafs.wall.Seconds(), r.wall(),
			seconds(r.peer.cpu), seconds(r.cosafs.cpu), times(r.cpu()))
		err = errors.Join(err, rerr)
	}
	return errors.Join(err, t.Flush())
}

// seconds and times write nothing where nothing was measured.
func seconds(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", d.Seconds())
}

func times(f float64) string {
	if f == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", f)
}
