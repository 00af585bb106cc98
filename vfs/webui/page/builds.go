package page

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"cosafs/vfs"
	"cosafs/vfs/webui"
)

// pageRows is how many builds a page lists.
const pageRows = 100

// A buildsPage is the list of builds, the page at the top.
type buildsPage struct {
	Query      webui.ListQuery
	Columns    []column
	Rows       []buildRow
	From, To   int // of the rows, counted from 1
	Found, All int // builds that match, and altogether
	Prev, Next string
	Clear      string // the list without arch and tag
	Shortcuts  []crumb
	Stores     []webui.StoreStatus // that could not be asked
	Running    int                 // jobs
	Problem    error               // why there is no list
	Connect    connect
}

// A column is a heading that sorts by it.
type column struct {
	Name, URL string
	Sorted    string // ascending, descending or none: the value of aria-sort
}

// A buildRow is one build of the list.
type buildRow struct {
	webui.BuildInfo
	Sum    sum
	URL    string
	Arches []crumb
	Tags   []crumb
	Latest bool
}

// buildsPage shows the list of builds.
func (s *Site) buildsPage(w http.ResponseWriter, r *http.Request) {
	q, err := webui.ParseListQuery(r.URL.Query())
	if err != nil {
		s.refuse(w, r, http.StatusBadRequest, err)
		return
	}
	q.Limit, q.Offset = pageRows, max(q.Offset, 0)
	p := buildsPage{Query: q, Columns: buildColumns(q), Connect: s.connect(r, "")}
	list, err := s.list(r.Context())
	if err != nil {
		p.Problem = err
	} else {
		s.fillBuilds(r.Context(), &p, list)
	}
	p.Shortcuts = s.shortcuts(r.Context())
	s.fillStatus(r.Context(), &p)
	s.render(w, r, http.StatusOK, "builds", frame{Title: "Builds", Section: "builds", Main: p})
}

// fillBuilds adds the rows that the query asks for, and the ways to others.
func (s *Site) fillBuilds(ctx context.Context, p *buildsPage, list *buildList) {
	rows, found := p.Query.Apply(list.builds)
	latest := s.latest(ctx)
	for _, b := range rows {
		p.Rows = append(p.Rows, newBuildRow(b, list.sums[list.at[b.ID]], b.ID == latest))
	}
	q := p.Query
	p.All, p.Found = len(list.builds), found
	p.From, p.To = min(q.Offset+1, q.Offset+len(rows)), q.Offset+len(rows)
	if q.Offset > 0 {
		prev := q
		prev.Offset = max(q.Offset-pageRows, 0)
		p.Prev = listURL(prev)
	}
	if p.To < found {
		next := q
		next.Offset = p.To
		p.Next = listURL(next)
	}
	q.Arch, q.Tag, q.Offset = "", "", 0
	p.Clear = listURL(q)
}

func newBuildRow(b webui.BuildInfo, sum sum, latest bool) buildRow {
	row := buildRow{BuildInfo: b, Sum: sum, URL: href(b.ID, true), Latest: latest}
	if len(b.Arches) > 0 {
		row.URL = href(join(b.ID, b.Arch), true)
	}
	for _, arch := range b.Arches {
		row.Arches = append(row.Arches, crumb{arch, href(join(b.ID, arch), true)})
	}
	for _, tag := range b.Tags {
		row.Tags = append(row.Tags, crumb{tag, listURL(webui.ListQuery{Tag: tag})})
	}
	return row
}

// fillStatus adds what goes on. It is only more to know: without it the list is as good.
func (s *Site) fillStatus(ctx context.Context, p *buildsPage) {
	status, err := s.cfg.Service.Status(ctx)
	if err != nil {
		s.cfg.Logger.WarnContext(ctx, "ask for the status", "err", err)
		return
	}
	p.Running = len(status.Jobs)
	for _, store := range status.Stores {
		if store.Problem != "" {
			p.Stores = append(p.Stores, store)
		}
	}
}

// latest is the id of the newest build, "" if there is none.
func (s *Site) latest(ctx context.Context) string {
	n, err := s.cfg.Tree.Walk(ctx, "latest")
	if err != nil {
		return ""
	}
	l, ok := n.(vfs.Symlink)
	if !ok {
		return ""
	}
	id, err := l.Readlink(ctx)
	if err != nil {
		return ""
	}
	return id
}

// shortcuts are the other names at the top, those of them that are there.
func (s *Site) shortcuts(ctx context.Context) []crumb {
	var list []crumb
	for _, name := range []string{"latest", "next"} {
		n, _, err := s.cfg.Tree.Follow(ctx, name)
		if d, ok := n.(vfs.Dir); ok && err == nil {
			list = append(list, subdirs(ctx, d, name)...)
		}
	}
	if s.cfg.Scratch != "" {
		list = append(list, crumb{s.cfg.Scratch, href(s.cfg.Scratch, true)})
	}
	return list
}

// subdirs are the directories of a directory, which are architectures.
func subdirs(ctx context.Context, d vfs.Dir, path string) []crumb {
	entries, err := d.Entries(ctx)
	if err != nil {
		return nil
	}
	var list []crumb
	for _, e := range entries {
		if e.Mode.IsDir() {
			sub := join(path, e.Name)
			list = append(list, crumb{sub, href(sub, true)})
		}
	}
	return list
}

// buildColumns are the headings that sort; a second click turns the order. Who sorts
// by time first wants the newest.
func buildColumns(q webui.ListQuery) []column {
	var list []column
	for _, c := range []struct{ name, sort string }{{"Build", "id"}, {"Version", "version"}, {"Built", "time"}} {
		now := q.Sort == c.sort || q.Sort == "" && c.sort == "time"
		col, turned := column{Name: c.name, Sorted: "none"}, q
		turned.Sort, turned.Offset, turned.Descending = c.sort, 0, c.sort == "time"
		if now {
			descending := q.Descending || q.Sort == ""
			col.Sorted = "ascending"
			if descending {
				col.Sorted = "descending"
			}
			turned.Descending = !descending
		}
		col.URL = listURL(turned)
		list = append(list, col)
	}
	return list
}

// listURL is the address of the list that a query asks for.
func listURL(q webui.ListQuery) string {
	v := url.Values{}
	set := func(name, value string) {
		if value != "" {
			v.Set(name, value)
		}
	}
	set("filter", q.Filter)
	set("sort", q.Sort)
	set("arch", q.Arch)
	set("tag", q.Tag)
	if q.Sort != "" {
		order := "asc"
		if q.Descending {
			order = "desc"
		}
		set("order", order)
	}
	if q.Offset > 0 {
		set("offset", strconv.Itoa(q.Offset))
	}
	if len(v) == 0 {
		return "/"
	}
	return "/?" + v.Encode()
}
