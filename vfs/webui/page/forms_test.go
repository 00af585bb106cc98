package page_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"cosafs/materialize"
	"cosafs/vfs/access"
)

const azurePath = idNew + "/x86_64/fedora-coreos-" + idNew + "-azure.x86_64.vhd"

func TestForms(t *testing.T) {
	for _, c := range []struct {
		name, target string
		form         url.Values
		did, to      string
	}{
		{"build", "build", url.Values{"path": {azurePath}}, "materialise " + azurePath, "/.cosafs/ui/jobs/01jd4x?download=1&path=" + url.QueryEscape(azurePath)},
		{"build what is there", "build", url.Values{"path": {idNew + "/x86_64/qemu.qcow2"}}, "materialise " + idNew + "/x86_64/qemu.qcow2", "/" + idNew + "/x86_64/qemu.qcow2"},
		{"retry a path", "retry", url.Values{"path": {azurePath}}, "retry " + azurePath + "; materialise " + azurePath, "/.cosafs/ui/jobs/01jd4x?download=1&path=" + url.QueryEscape(azurePath)},
		{"retry a job", "retry", url.Values{"job": {"01jd3f"}, "path": {azurePath}}, "retry 01jd3f; materialise " + azurePath, "/.cosafs/ui/jobs/01jd4x?download=1&path=" + url.QueryEscape(azurePath)},
		{"retry a job of no path", "retry", url.Values{"job": {"01jd3f"}}, "retry 01jd3f", "/.cosafs/ui/jobs/"},
		{"cancel", "cancel", url.Values{"job": {"01jd4x"}}, "cancel 01jd4x", "/.cosafs/ui/jobs/01jd4x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			rec := w.post(t, access.Builder, "/.cosafs/ui/"+c.target, c.form)
			if rec.Code != http.StatusSeeOther || rec.Header().Get("Location") != c.to {
				t.Errorf("%d to %s, want %s", rec.Code, rec.Header().Get("Location"), c.to)
			}
			if got := w.svc.done(); got != c.did {
				t.Errorf("did %q, want %q", got, c.did)
			}
		})
	}
}

// TestFormsRefused posts what must not do anything.
func TestFormsRefused(t *testing.T) {
	good := url.Values{"path": {azurePath}, "job": {"01jd4x"}}
	for _, c := range []struct {
		name string
		role access.Role
		form url.Values
		want int
	}{
		{"reader", access.Reader, good, http.StatusForbidden},
		{"nobody", access.Nobody, good, http.StatusForbidden},
		{"empty", access.Builder, nil, http.StatusBadRequest},
		{"outside", access.Builder, url.Values{"path": {"../etc/passwd"}}, http.StatusBadRequest},
		{"other site", access.Builder, url.Values{"path": {"/evil.example"}}, http.StatusBadRequest},
		{"too much", access.Builder, url.Values{"path": {strings.Repeat("a", 100<<10)}}, http.StatusBadRequest},
	} {
		for _, form := range []string{"build", "retry", "cancel"} {
			w := newWorld(t)
			if got := w.post(t, c.role, "/.cosafs/ui/"+form, c.form).Code; got != c.want {
				t.Errorf("%s, %s: %d, want %d", c.name, form, got, c.want)
			}
			if did := w.svc.done(); did != "" {
				t.Errorf("%s, %s: did %s", c.name, form, did)
			}
		}
	}
}

// TestForeignForms has another site's page send a form with the browser's login.
func TestForeignForms(t *testing.T) {
	for name, header := range map[string][2]string{
		"by metadata":  {"Sec-Fetch-Site", "cross-site"},
		"by origin":    {"Origin", "https://evil.example"},
		"by no origin": {"Origin", "null"},
	} {
		w := newWorld(t)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://builds.example/.cosafs/ui/build", strings.NewReader("path="+azurePath))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set(header[0], header[1])
		rec := httptest.NewRecorder()
		w.handler(access.Builder).ServeHTTP(rec, r)
		if rec.Code != http.StatusForbidden || w.svc.done() != "" {
			t.Errorf("%s: %d, did %q", name, rec.Code, w.svc.done())
		}
	}
}

// TestBuildFails has work that can't be begun say why, and offer to try again.
func TestBuildFails(t *testing.T) {
	w := newWorld(t)
	w.svc.fail = &materialize.JobError{Job: "01jd3f", Err: materialize.Fail(materialize.ClassTool, "start the VM", "load kvm_intel", errors.New("no /dev/kvm"))}
	w.svc.plans = nil // no job begins
	rec := w.post(t, access.Builder, "/.cosafs/ui/build", url.Values{"path": {azurePath}})
	body := rec.Body.String()
	if rec.Code != http.StatusFailedDependency {
		t.Errorf("status %d", rec.Code)
	}
	for _, want := range []string{"no /dev/kvm", "load kvm_intel", "/.cosafs/ui/jobs/01jd3f", `action="/.cosafs/ui/retry"`} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// TestLookingStartsNothing opens every page as a builder.
func TestLookingStartsNothing(t *testing.T) {
	for _, v := range views() {
		w := newWorld(t)
		w.see(t, v)
		if did := w.svc.done(); strings.Contains(did, "materialise") || strings.Contains(did, "retry") || strings.Contains(did, "cancel") {
			t.Errorf("%s did %s", v.name, did)
		}
	}
}

// TestReadersButtons has no button that a reader may press.
func TestReadersButtons(t *testing.T) {
	for _, v := range views() {
		if v.role != access.Reader {
			continue
		}
		w := newWorld(t)
		d, err := parse(w.see(t, v).Body.String())
		if err != nil {
			t.Fatal(err)
		}
		for n := range d.root.Descendants() {
			if n.Data == "button" && attr(n, "type") == "submit" && attr(n.Parent, "method") == "post" && !has(n, "disabled") {
				t.Errorf("%s: %s", v.name, words(n))
			}
		}
	}
}
