package page_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"cosafs/materialize"
	"cosafs/test/browser"
	"cosafs/vfs/access"
)

// TestLive has a browser follow a job under the pages' policy: progress, the log, the
// download that starts by itself, and the end.
func TestLive(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	w := newWorld(t)
	path := idNew + "/x86_64/metal4k.raw"
	site := w.handler(access.Builder)
	mux := http.NewServeMux()
	mux.Handle("/", site)
	mux.HandleFunc("/"+path, func(rw http.ResponseWriter, r *http.Request) {
		if jobs, err := w.svc.Jobs(r.Context()); err != nil || jobs[0].Active() {
			w.site.Waiting(rw, r, path)
			return
		}
		rw.Header().Set("Content-Type", "application/octet-stream")
		if _, err := io.WriteString(rw, "bytes"); err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("/test/advance", func(http.ResponseWriter, *http.Request) {
		w.svc.change(func(j *materialize.JobInfo) { j.Phase, j.Fraction, j.Waiters = "encode", 0.81, 7 })
	})
	mux.HandleFunc("/test/finish", func(http.ResponseWriter, *http.Request) {
		w.svc.change(func(j *materialize.JobInfo) { j.State, j.Ended = materialize.JobDone, now })
	})
	srv := httptest.NewServer(mux)
	defer srv.Close()
	got := browser.Run(t, filepath.Join("testdata", "live.mjs"), srv.URL, path)
	want := strings.Join([]string{
		"first stop: Skip to content", "log: supermin: building the appliance", "downloaded: metal4k.raw", "job: done", "wrong: []", "",
	}, "\n")
	if got != want {
		t.Errorf("the browser saw\n%s\nwant\n%s", got, want)
	}
}
