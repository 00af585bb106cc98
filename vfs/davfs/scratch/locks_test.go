package scratch_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cosafs/vfs/access"
	"cosafs/vfs/davfs/scratch"
)

// lockBody asks for a lock, if the method is LOCK.
func lockBody(method, scope string) string {
	if method != "LOCK" {
		return ""
	}
	return `<?xml version="1.0"?><x:lockinfo xmlns:x="DAV:"><x:lockscope><x:` + scope + `/></x:lockscope>` +
		`<x:locktype><x:write/></x:locktype><x:owner><x:href>me &amp; you</x:href></x:owner></x:lockinfo>`
}

// lock takes a lock, and gives it as an If header.
func lock(t *testing.T, s *site, path, scope string, header ...string) string {
	t.Helper()
	got := s.do(t, "LOCK", path, lockBody("LOCK", scope), header...)
	token := got.header.Get("Lock-Token")
	if got.status > 201 || !strings.HasPrefix(token, "<urn:uuid:") || !wellFormed(got.body) {
		t.Fatalf("LOCK %s: %d, token %q, %s", path, got.status, token, got.body)
	}
	return "(" + token + ")"
}

func unlock(t *testing.T, s *site, want int, path, ifHeader string, header ...string) {
	t.Helper()
	s.want(t, want, "UNLOCK", path, "", append(header, "Lock-Token", strings.Trim(ifHeader, "()"))...)
}

func TestExclusiveLock(t *testing.T) {
	s := serve(t, scratch.Config{})
	tree(t, s)
	mine := lock(t, s, "x", "exclusive")
	s.want(t, http.StatusLocked, "PUT", "x", "new")
	s.want(t, http.StatusLocked, "LOCK", "x", lockBody("LOCK", "exclusive"))
	s.want(t, http.StatusLocked, "LOCK", "x", lockBody("LOCK", "shared"))
	s.want(t, http.StatusLocked, "MOVE", "x", "", "Destination", s.url("y"))
	s.want(t, http.StatusLocked, "COPY", "a", "", "Destination", s.url("x"))
	s.want(t, http.StatusCreated, "COPY", "x", "", "Destination", s.url("y"))
	s.want(t, http.StatusNoContent, "PUT", "x", "new", "If", mine)
	unlock(t, s, http.StatusConflict, "y", mine)
	unlock(t, s, http.StatusNoContent, "x", mine)
	s.want(t, http.StatusNoContent, "PUT", "x", "new")
}

// TestLocksReach counts what x/net/webdav overlooks: a lock below what is
// deleted, one on the collection that a file is made in, and a request that shows
// a token of another place.
func TestLocksReach(t *testing.T) {
	s := serve(t, scratch.Config{})
	tree(t, s)
	below := lock(t, s, "a/b/c", "exclusive")
	s.want(t, http.StatusLocked, "DELETE", "a", "")
	s.want(t, http.StatusLocked, "MOVE", "a", "", "Destination", s.url("d"))
	s.want(t, http.StatusLocked, "COPY", "x", "", "Destination", s.url("a"))
	s.want(t, http.StatusLocked, "LOCK", "a", lockBody("LOCK", "exclusive"))
	unlock(t, s, http.StatusNoContent, "a/b/c", below)

	shallow := lock(t, s, "a", "exclusive", "Depth", "0")
	s.want(t, http.StatusLocked, "PUT", "a/new", "")
	s.want(t, http.StatusLocked, "MKCOL", "a/new", "")
	s.want(t, http.StatusLocked, "DELETE", "a/b", "")
	s.want(t, http.StatusLocked, "LOCK", "a/new", lockBody("LOCK", "exclusive"))
	s.want(t, http.StatusNoContent, "PUT", "a/b/c", "not a member of a")
	other := "<" + s.url("a") + "> " + shallow
	s.want(t, http.StatusCreated, "PUT", "a/new", "", "If", other)

	x := lock(t, s, "x", "exclusive")
	s.want(t, http.StatusLocked, "PUT", "x", "new", "If", other)
	s.want(t, http.StatusNoContent, "PUT", "x", "new", "If", "<"+s.url("x")+"> "+x+" "+other)
}

// TestConditions combines tokens, entity tags and Not.
func TestConditions(t *testing.T) {
	s := serve(t, scratch.Config{})
	tag := s.want(t, http.StatusCreated, "PUT", "x", "x").header.Get("ETag")
	mine := strings.Trim(lock(t, s, "x", "exclusive"), "()")
	for header, want := range map[string]int{
		"(%s)":                                  http.StatusCreated,
		"(%s [%s])":                             http.StatusCreated,
		"(Not <DAV:no-lock> %s)":                http.StatusCreated,
		"(<urn:x-other>) (%s)":                  http.StatusCreated,
		`(%s ["other"])`:                        http.StatusPreconditionFailed,
		"(Not %s)":                              http.StatusPreconditionFailed,
		"(%s Not [%s])":                         http.StatusPreconditionFailed,
		`(<DAV:no-lock> ["other"])`:             http.StatusPreconditionFailed,
		"(<urn:x-other>)":                       http.StatusLocked,
		"(%s":                                   http.StatusBadRequest,
		"()":                                    http.StatusBadRequest,
		"<http://elsewhere/upload/x> (%s [%s])": http.StatusPreconditionFailed,
	} {
		full := strings.Replace(strings.Replace(header, "%s", mine, 1), "%s", tag, 1)
		got := s.do(t, "PROPPATCH", "x", patch("a", "b"), "If", full)
		if got.status == http.StatusMultiStatus {
			got.status = http.StatusCreated
		}
		if got.status != want {
			t.Errorf("If: %s: %d %q, want %d", full, got.status, got.body, want)
		}
	}
}

func TestSharedLocks(t *testing.T) {
	s := serve(t, scratch.Config{})
	one := lock(t, s, "x", "shared")
	two := lock(t, s, "x", "shared")
	s.want(t, http.StatusLocked, "LOCK", "x", lockBody("LOCK", "exclusive"))
	s.want(t, http.StatusLocked, "PUT", "x", "new")
	s.want(t, http.StatusNoContent, "PUT", "x", "new", "If", one)
	s.want(t, http.StatusNoContent, "PUT", "x", "new", "If", two)
	unlock(t, s, http.StatusNoContent, "x", one)
	s.want(t, http.StatusLocked, "PUT", "x", "new", "If", one)
	unlock(t, s, http.StatusNoContent, "x", two)
	s.want(t, http.StatusNoContent, "PUT", "x", "new")
}

// TestLockIsItsMakers keeps a token that others can read from being of use to them.
func TestLockIsItsMakers(t *testing.T) {
	s := serve(t, scratch.Config{})
	mine := lock(t, s, "x", "exclusive", "Test-User", "ann")
	s.want(t, http.StatusLocked, "PUT", "x", "", "If", mine, "Test-User", "bob")
	unlock(t, s, http.StatusForbidden, "x", mine, "Test-User", "bob")
	s.want(t, http.StatusPreconditionFailed, "LOCK", "x", "", "If", mine, "Test-User", "bob")
	s.want(t, http.StatusOK, "LOCK", "x", "", "If", mine, "Test-User", "ann")
	s.want(t, http.StatusNoContent, "PUT", "x", "", "If", mine, "Test-User", "ann")
	s.role = access.Admin
	unlock(t, s, http.StatusNoContent, "x", mine, "Test-User", "root")
}

func TestLocksAreShown(t *testing.T) {
	s := serve(t, scratch.Config{})
	tree(t, s)
	mine := lock(t, s, "a", "exclusive")
	body := `<propfind xmlns="DAV:"><prop><lockdiscovery/><supportedlock/></prop></propfind>`
	got := s.want(t, http.StatusMultiStatus, "PROPFIND", "a/b/c", body, "Depth", "0").body
	for _, want := range []string{strings.Trim(mine, "(<>)"), "<D:shared", "<D:depth>infinity", "/upload/a<", "me &amp; you"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
	if all := s.want(t, http.StatusMultiStatus, "PROPFIND", "x", "", "Depth", "0").body; strings.Count(all, "<D:supportedlock") != 1 {
		t.Errorf("allprop: %s", all)
	}
	s.want(t, http.StatusCreated, "COPY", "a", "", "Destination", s.url("copy"))
	if got := s.want(t, http.StatusMultiStatus, "PROPFIND", "copy", body, "Depth", "0").body; strings.Contains(got, "activelock") {
		t.Errorf("the copy is locked: %s", got)
	}
}

// TestLocksEndWithWhatTheyAreOn deletes and moves.
func TestLocksEndWithWhatTheyAreOn(t *testing.T) {
	s := serve(t, scratch.Config{})
	for _, end := range []string{"DELETE", "MOVE"} {
		mine := lock(t, s, "x", "exclusive")
		got := s.do(t, end, "x", "", "If", mine, "Destination", s.url("y"))
		if got.status >= 300 {
			t.Fatalf("%s: %d %s", end, got.status, got.body)
		}
		s.want(t, http.StatusCreated, "PUT", "x", "free")
		s.want(t, http.StatusNoContent, "DELETE", "x", "")
	}
	s.want(t, http.StatusNoContent, "PUT", "y", "free")
}

// TestLockMakesAFile locks a name before anything is there.
func TestLockMakesAFile(t *testing.T) {
	s := serve(t, scratch.Config{})
	s.want(t, http.StatusConflict, "LOCK", "no/x", lockBody("LOCK", "exclusive"))
	s.want(t, http.StatusCreated, "LOCK", "x", lockBody("LOCK", "exclusive"))
	s.want(t, http.StatusOK, "GET", "x", "")
	for name, header := range map[string][]string{"depth": {"Depth", "1"}, "time": {"Timeout", "soon"}} {
		t.Run(name, func(t *testing.T) {
			s.want(t, http.StatusBadRequest, "LOCK", "y", lockBody("LOCK", "exclusive"), header...)
		})
	}
	s.want(t, http.StatusBadRequest, "LOCK", "y", "<lockinfo/>")
	s.want(t, http.StatusNotFound, "GET", "y", "")
}

// TestLocksExpire lets time pass.
func TestLocksExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := scratch.New(scratch.Config{Dir: t.TempDir(), Prefix: prefix})
		if err != nil {
			t.Fatal(err)
		}
		do := func(method, body string, header ...string) *httptest.ResponseRecorder {
			r := httptest.NewRequestWithContext(access.With(t.Context(), access.Caller{Role: access.Builder}), method, prefix+"/x", strings.NewReader(body))
			for i := 0; i < len(header); i += 2 {
				r.Header.Set(header[i], header[i+1])
			}
			w := httptest.NewRecorder()
			c.ServeHTTP(w, r)
			return w
		}
		for _, wish := range []struct {
			header string
			ends   time.Duration
		}{{"Second-60", time.Minute}, {"Infinite, Second-9", 24 * time.Hour}, {"Second-4100000000", 24 * time.Hour}, {"", time.Hour}} {
			got := do("LOCK", lockBody("LOCK", "exclusive"), "Timeout", wish.header)
			if said := fmt.Sprintf("Second-%d<", wish.ends/time.Second); !strings.Contains(got.Body.String(), said) {
				t.Fatalf("Timeout %q: no %s in %s", wish.header, said, got.Body)
			}
			<-time.After(wish.ends - time.Second)
			if got := do("PUT", "x"); got.Code != http.StatusLocked {
				t.Errorf("Timeout %q: %d a second before the end", wish.header, got.Code)
			}
			<-time.After(time.Second)
			if got := do("PUT", "x"); got.Code != http.StatusNoContent {
				t.Errorf("Timeout %q: %d at the end", wish.header, got.Code)
			}
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}
