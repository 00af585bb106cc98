package webui

import (
	"cmp"
	"fmt"
	"io/fs"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// A ListQuery says which builds a list shows, and in which order. The zero value
// shows all, newest first.
type ListQuery struct {
	Filter     string // id, version, commit, config or a tag holds it; case does not matter
	Sort       string // time, id or version; "" = newest first, whatever Descending says
	Arch       string // there is something for this architecture
	Tag        string // it has this tag
	Descending bool
	Offset     int // so many of those that match are left out first
	Limit      int // at most so many; 0 = all
}

// ParseListQuery reads the parameters filter, sort, order (asc or desc), arch, tag,
// offset and limit; others are not its business. Without an order times go down
// and everything else goes up; an order alone is one of times. What can't be
// understood is fs.ErrInvalid.
func ParseListQuery(v url.Values) (ListQuery, error) {
	q := ListQuery{Filter: v.Get("filter"), Sort: v.Get("sort"), Arch: v.Get("arch"), Tag: v.Get("tag")}
	if !slices.Contains([]string{"", "time", "id", "version"}, q.Sort) {
		return ListQuery{}, badParameter("sort", q.Sort, "time, id or version")
	}
	switch order := v.Get("order"); order {
	case "":
		q.Descending = q.Sort == "time"
	case "asc", "desc":
		q.Sort, q.Descending = cmp.Or(q.Sort, "time"), order == "desc"
	default:
		return ListQuery{}, badParameter("order", order, "asc or desc")
	}
	var err error
	if q.Offset, err = countOf(v, "offset"); err != nil {
		return ListQuery{}, err
	}
	if q.Limit, err = countOf(v, "limit"); err != nil {
		return ListQuery{}, err
	}
	return q, nil
}

// countOf reads a parameter that counts something; 0 where it isn't given.
func countOf(v url.Values, name string) (int, error) {
	text := v.Get(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, badParameter(name, text, "a number from 0 on")
	}
	return n, nil
}

func badParameter(name, value, want string) error {
	return fmt.Errorf("%s=%q: want %s: %w", name, value, want, fs.ErrInvalid)
}

// Apply gives the builds that the query asks for, out of all in the order of
// [Service.Builds], and how many match without Offset and Limit. rows is never
// nil; all stays as it is.
func (q ListQuery) Apply(all []BuildInfo) (rows []BuildInfo, total int) {
	found := make([]BuildInfo, 0, len(all))
	for _, b := range all {
		if q.matches(b) {
			found = append(found, b)
		}
	}
	q.sort(found)
	rest := found[min(max(q.Offset, 0), len(found)):]
	if q.Limit > 0 {
		rest = rest[:min(q.Limit, len(rest))]
	}
	return rest, len(found)
}

func (q ListQuery) matches(b BuildInfo) bool {
	if q.Arch != "" && !slices.Contains(b.Arches, q.Arch) || q.Tag != "" && !slices.Contains(b.Tags, q.Tag) {
		return false
	}
	want := strings.ToLower(q.Filter)
	texts := append([]string{b.ID, b.Version, b.Commit, b.Config}, b.Tags...)
	return slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(strings.ToLower(text), want) })
}

// sort orders builds; those that are alike stay in the order of the service.
func (q ListQuery) sort(builds []BuildInfo) {
	compare := func(a, b BuildInfo) int { return b.Time.Compare(a.Time) }
	switch q.Sort {
	case "time":
		compare = func(a, b BuildInfo) int { return a.Time.Compare(b.Time) }
	case "id":
		compare = func(a, b BuildInfo) int { return compareNumbered(a.ID, b.ID) }
	case "version":
		compare = func(a, b BuildInfo) int { return compareNumbered(a.Version, b.Version) }
	}
	slices.SortStableFunc(builds, func(a, b BuildInfo) int {
		if q.Sort != "" && q.Descending {
			a, b = b, a
		}
		return compare(a, b)
	})
}

// compareNumbered orders texts with numbers as people do: 41.9 before 41.10.
func compareNumbered(a, b string) int {
	for a != "" && b != "" {
		runA, restA := leadingRun(a)
		runB, restB := leadingRun(b)
		if c := compareRuns(runA, runB); c != 0 {
			return c
		}
		a, b = restA, restB
	}
	return cmp.Compare(len(a), len(b))
}

// leadingRun splits a text, which is not empty, after its first digits, or before
// its first digit.
func leadingRun(s string) (run, rest string) {
	digits := isDigit(rune(s[0]))
	end := strings.IndexFunc(s, func(r rune) bool { return isDigit(r) != digits })
	if end < 0 {
		return s, ""
	}
	return s[:end], s[end:]
}

func compareRuns(a, b string) int {
	if !isDigit(rune(a[0])) || !isDigit(rune(b[0])) {
		return strings.Compare(a, b)
	}
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)) // of any length, so no integers
}

func isDigit(r rune) bool { return '0' <= r && r <= '9' }
