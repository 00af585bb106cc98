package page

import (
	"encoding/json"
	"net/http"
	"time"

	"cosafs/vfs"
	"cosafs/vfs/webui"
)

// A Listing is a directory for programs that ask with Accept: application/json.
// With ?all=1 it has what does not exist yet but could be made, too: opening such
// a file builds it, so that a program has to ask for it.
type Listing struct {
	Path    string `json:"path"` // without slashes at the ends, "" for the top
	Entries []Item `json:"entries"`
}

// An Item is one name of a [Listing]. All keys are always there.
type Item struct {
	Name     string    `json:"name"`
	Type     string    `json:"type"`     // "directory", "file" or "link"
	Size     *int64    `json:"size"`     // bytes, exact; null where there is none, or none known yet
	Modified time.Time `json:"modified"` // RFC 3339, UTC
	SHA256   string    `json:"sha256"`   // hex; "" if it is not recorded
	State    string    `json:"state"`    // of a file's bytes, as in user.cosafs.state; "" for other things
	Reason   string    `json:"reason"`   // one line for a person, where the state needs one
	URL      string    `json:"url"`      // path on this server; those of directories end with a slash
}

func (s *Site) directoryJSON(w http.ResponseWriter, r *http.Request, path string, d vfs.Dir) {
	children := vfs.Children
	if r.URL.Query().Get("all") == "1" {
		children = vfs.AllChildren
	}
	list, err := children(r.Context(), d)
	if err != nil {
		s.failJSON(w, r, err)
		return
	}
	rows, err := s.rows(r.Context(), path, list)
	if err != nil {
		s.failJSON(w, r, err)
		return
	}
	l := Listing{Path: path, Entries: make([]Item, len(rows))}
	for i, row := range rows {
		l.Entries[i] = row.item()
	}
	s.sendJSON(w, r, http.StatusOK, l)
}

func (r *row) item() Item {
	it := Item{
		Name: r.Name, Type: "file", Modified: r.Time.UTC(), SHA256: r.SHA256,
		State: string(r.State), Reason: r.Reason, URL: href(r.Path, r.Dir),
	}
	switch {
	case r.Target != "":
		it.Type = "link"
	case r.Dir:
		it.Type = "directory"
	}
	if r.Size >= 0 {
		it.Size = &r.Size
	}
	return it
}

// failJSON answers with an error in the shape that the API's errors have.
func (s *Site) failJSON(w http.ResponseWriter, r *http.Request, err error) {
	s.sendJSON(w, r, statusOf(err), webui.EncodeError(err))
}

func (s *Site) sendJSON(w http.ResponseWriter, r *http.Request, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		s.cfg.Logger.ErrorContext(r.Context(), "encode listing", "path", r.URL.Path, "err", err)
		http.Error(w, "the listing could not be encoded", http.StatusInternalServerError)
		return
	}
	s.send(w, status, "application/json", append(body, '\n'))
}
