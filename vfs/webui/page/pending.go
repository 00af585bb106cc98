package page

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"cosafs/materialize"
	"cosafs/vfs/webui"
)

// A listQuery says which builds of the list are wanted, and in which order.
type listQuery struct {
	Filter, Sort, Arch, Tag string
	Descending              bool
	Offset, Limit           int
}

func parseListQuery(v url.Values) (listQuery, error) {
	q := listQuery{Filter: v.Get("filter"), Sort: v.Get("sort"), Arch: v.Get("arch"), Tag: v.Get("tag"), Descending: v.Get("order") == "desc"}
	if o := v.Get("offset"); o != "" {
		n, err := strconv.Atoi(o)
		if err != nil || n < 0 {
			return q, fmt.Errorf("offset %q: %w", o, fs.ErrInvalid)
		}
		q.Offset = n
	}
	if q.Sort != "" && q.Sort != "time" && q.Sort != "id" && q.Sort != "version" {
		return q, fmt.Errorf("sort %q: %w", q.Sort, fs.ErrInvalid)
	}
	return q, nil
}

// Apply gives the rows of one page, and how many builds match.
func (q listQuery) Apply(all []webui.BuildInfo) ([]webui.BuildInfo, int) {
	rows := slices.DeleteFunc(slices.Clone(all), func(b webui.BuildInfo) bool { return !q.matches(b) })
	if q.Sort != "" {
		slices.SortStableFunc(rows, q.compare)
	}
	from := min(q.Offset, len(rows))
	return rows[from:min(from+q.Limit, len(rows))], len(rows)
}

func (q listQuery) matches(b webui.BuildInfo) bool {
	text := strings.ToLower(strings.Join(append([]string{b.ID, b.Version, b.Commit}, b.Tags...), " "))
	return strings.Contains(text, strings.ToLower(q.Filter)) &&
		(q.Tag == "" || slices.Contains(b.Tags, q.Tag)) && (q.Arch == "" || slices.Contains(b.Arches, q.Arch))
}

func (q listQuery) compare(a, b webui.BuildInfo) int {
	c := a.Time.Compare(b.Time)
	switch q.Sort {
	case "id":
		c = cmp.Compare(a.ID, b.ID)
	case "version":
		c = cmp.Compare(a.Version, b.Version)
	}
	if q.Descending {
		return -c
	}
	return c
}

// startJob begins to make a path's bytes and gives the job, "" if they are there.
func startJob(ctx context.Context, s webui.Service, path string) (string, error) {
	jobs, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		_, err := s.Materialise(context.WithoutCancel(ctx), path, func(e materialize.Event) {
			select {
			case jobs <- e.Job:
			default:
			}
		})
		ended <- err
	}()
	select {
	case id := <-jobs:
		return id, nil
	case err := <-ended:
		select {
		case id := <-jobs:
			return id, err
		default:
			return "", err
		}
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}
