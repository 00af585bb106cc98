package webui

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"cosafs/materialize"
)

// listBuilds answers with the builds that a [ListQuery] asks for, how many match,
// and where the next ones are (RFC 8288).
func listBuilds(s Service) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q, err := ParseListQuery(r.URL.Query())
		if err != nil {
			writeError(w, err)
			return
		}
		all, err := s.Builds(r.Context())
		if err != nil {
			writeError(w, err)
			return
		}
		rows, total := q.Apply(all)
		w.Header().Set("X-Total-Count", strconv.Itoa(total))
		if end := q.Offset + len(rows); len(rows) > 0 && end < total {
			w.Header().Set("Link", "<"+fromOffset(r.URL, end)+`>; rel="next"`)
		}
		writeJSON(w, http.StatusOK, rows)
	})
}

// fromOffset is the address of the same list from another offset on.
func fromOffset(u *url.URL, offset int) string {
	v := u.Query()
	v.Set("offset", strconv.Itoa(offset))
	return u.EscapedPath() + "?" + v.Encode()
}

// FindJob gives one of the jobs that the service knows; fs.ErrNotExist for another id.
func FindJob(ctx context.Context, s Service, id string) (materialize.JobInfo, error) {
	jobs, err := s.Jobs(ctx)
	if err != nil {
		return materialize.JobInfo{}, err
	}
	i := slices.IndexFunc(jobs, func(j materialize.JobInfo) bool { return j.ID == id })
	if i < 0 {
		return materialize.JobInfo{}, noJob(id)
	}
	return jobs[i], nil
}
