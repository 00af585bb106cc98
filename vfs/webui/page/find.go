package page

import (
	"net/http"
	"net/url"
	"time"

	"cosafs/materialize"
	"cosafs/vfs/webui"
)

// findRows is how many builds a search shows.
const findRows = 200

// A findPage is the form of a search and what it found.
type findPage struct {
	Fields  []field
	Oldest  bool
	Asked   bool // something was looked for
	Rows    []foundRow
	More    bool // there may be more than are shown
	Problem error
}

// A field is a field of the form.
type field struct{ Name, Label, Value, Type, Hint string }

// A foundRow is a build that matched.
type foundRow struct {
	webui.Found
	URL string
}

// fields are the fields of the form, empty. Names are those of [webui.FindRequest].
func fields() []field {
	return []field{
		{"package", "Package", "", "text", "kernel, or kernel-6.18"},
		{"commit", "OSTree commit", "", "text", "how it begins"},
		{"kind", "Artifact kind", "", "text", "qemu, aws"},
		{"sha256", "SHA-256", "", "text", "how it begins"},
		{"id", "Build", "", "text", "how its id begins"},
		{"tag", "Tag", "", "text", ""},
		{"arch", "Architecture", "", "text", "x86_64"},
		{"state", "State", "", "text", "local, remote, gone"},
		{"after", "Built since", "", "date", ""},
		{"before", "Built before", "", "date", ""},
	}
}

func (s *Site) findPage(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	p := findPage{Fields: fields(), Oldest: q.Get("oldest") != ""}
	for i := range p.Fields {
		p.Fields[i].Value = q.Get(p.Fields[i].Name)
		p.Asked = p.Asked || p.Fields[i].Value != ""
	}
	req, err := findRequest(q)
	if err != nil {
		p.Problem = err
	} else if p.Asked {
		p.Rows, p.Problem = s.find(r, req)
		p.More = len(p.Rows) == findRows
	}
	status := http.StatusOK
	if p.Problem != nil {
		status = statusOf(p.Problem)
	}
	s.render(w, r, status, "find", frame{Title: "Find builds", Section: "find", Trail: trail(""), Main: p})
}

func (s *Site) find(r *http.Request, req webui.FindRequest) ([]foundRow, error) {
	found, err := s.keeper.Find(r.Context(), req, nil)
	rows := make([]foundRow, len(found))
	for i, f := range found {
		rows[i] = foundRow{f, href(join(f.Build, f.Arch), true)}
	}
	return rows, err
}

// findRequest reads the form's fields. A date that is none is fs.ErrInvalid.
func findRequest(q url.Values) (webui.FindRequest, error) {
	req := webui.FindRequest{
		ID: q.Get("id"), Arch: q.Get("arch"), Commit: q.Get("commit"), SHA256: q.Get("sha256"), Kind: q.Get("kind"),
		State: materialize.State(q.Get("state")), Package: q.Get("package"), Tag: q.Get("tag"),
		Oldest: q.Get("oldest") != "", Limit: findRows,
	}
	var err error
	if req.After, err = day(q.Get("after")); err != nil {
		return req, err
	}
	req.Before, err = day(q.Get("before"))
	return req, err
}

// day reads a date as browsers send it, in UTC; "" is the zero time.
func day(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return time.Time{}, badForm(err)
	}
	return t, nil
}
