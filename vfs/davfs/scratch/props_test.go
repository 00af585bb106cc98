package scratch_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"cosafs/vfs/access"
	"cosafs/vfs/davfs/scratch"
)

// patch gives the body that sets a property of the name space urn:t.
func patch(name, inner string) string {
	return fmt.Sprintf(`<?xml version="1.0"?><d:propertyupdate xmlns:d="DAV:" xmlns:t="urn:t"><d:set><d:prop><t:%s>%s</t:%[1]s></d:prop></d:set></d:propertyupdate>`, name, inner)
}

// setProp sets a property, wantProp looks for it.
func setProp(t *testing.T, s *site, path, value string) {
	t.Helper()
	got := s.want(t, http.StatusMultiStatus, "PROPPATCH", path, patch("color", value))
	if !strings.Contains(got.body, "200 OK") {
		t.Fatalf("PROPPATCH %s: %s", path, got.body)
	}
}

func wantProp(t *testing.T, s *site, path, value string) {
	t.Helper()
	body := `<propfind xmlns="DAV:"><prop><color xmlns="urn:t"/></prop></propfind>`
	got := s.want(t, http.StatusMultiStatus, "PROPFIND", path, body, "Depth", "0")
	if has := strings.Contains(got.body, ">"+value+"<") && strings.Contains(got.body, "200 OK"); has != (value != "") {
		t.Errorf("%s: want color %q in %s", path, value, got.body)
	}
}

// TestPropertiesGoWithFiles follows a property through all that can happen to
// its file, and through a restart.
func TestPropertiesGoWithFiles(t *testing.T) {
	dir := t.TempDir()
	t.Run("before", func(t *testing.T) {
		s := serve(t, scratch.Config{Dir: dir})
		tree(t, s)
		setProp(t, s, "a/b/c", "red")
		setProp(t, s, "a/b", "blue")
		s.want(t, http.StatusNoContent, "PUT", "a/b/c", "new bytes")
		wantProp(t, s, "a/b/c", "red")
		s.want(t, http.StatusCreated, "COPY", "a", "", "Destination", s.url("copy"))
		wantProp(t, s, "copy/b", "blue")
		wantProp(t, s, "copy/b/c", "red")
		s.want(t, http.StatusCreated, "MOVE", "a", "", "Destination", s.url("moved"))
		s.want(t, http.StatusNoContent, "DELETE", "copy/b/c", "")
		s.want(t, http.StatusCreated, "PUT", "copy/b/c", "another file")
		wantProp(t, s, "copy/b/c", "")
	})
	s := serve(t, scratch.Config{Dir: dir})
	wantProp(t, s, "moved/b/c", "red")
	wantProp(t, s, "moved/b", "blue")
	setProp(t, s, "moved/b/c", "green")
	wantProp(t, s, "moved/b/c", "green")
}

// TestPropertiesThatDoNotFit leave what was there.
func TestPropertiesThatDoNotFit(t *testing.T) {
	s := serve(t, scratch.Config{})
	s.want(t, http.StatusCreated, "PUT", "a", "x")
	setProp(t, s, "a", "red")
	got := s.want(t, http.StatusMultiStatus, "PROPPATCH", "a", patch("big", strings.Repeat("x", 100_000)))
	if !strings.Contains(got.body, "507") {
		t.Errorf("PROPPATCH: %s", got.body)
	}
	wantProp(t, s, "a", "red")
	s.want(t, http.StatusRequestEntityTooLarge, "PROPPATCH", "a", patch("big", strings.Repeat("x", 2<<20)))
}

// TestBadXML sends what x/net/webdav would take, or would store as broken XML.
func TestBadXML(t *testing.T) {
	s := serve(t, scratch.Config{})
	s.want(t, http.StatusCreated, "PUT", "a", "x")
	for name, body := range map[string]string{
		"empty name space": `<D:propfind xmlns:D="DAV:"><D:prop><b:x xmlns:b=""/></D:prop></D:propfind>`,
		"open":             `<propfind xmlns="DAV:">`,
		"document type":    `<!DOCTYPE x [<!ENTITY e "e">]><propfind xmlns="DAV:"><allprop/></propfind>`,
		"two roots":        `<propfind xmlns="DAV:"><allprop/></propfind><x/>`,
		"deep":             strings.Repeat("<a>", 100) + strings.Repeat("</a>", 100),
		"not UTF-8":        "<propfind xmlns=\"DAV:\"><prop>\xff</prop></propfind>",
	} {
		t.Run(name, func(t *testing.T) {
			s.want(t, http.StatusBadRequest, "PROPFIND", "a", body, "Depth", "0")
		})
	}
	s.want(t, http.StatusBadRequest, "PROPPATCH", "a", patch("x", "<t:x>1</t:x>"))
	setProp(t, s, "a", "<inner xmlns='urn:u'><deep>1</deep></inner>")
	if got := s.want(t, http.StatusMultiStatus, "PROPFIND", "a", "", "Depth", "0"); !wellFormed(got.body) {
		t.Error(got.body)
	}
}

// TestDepth lists one level at most.
func TestDepth(t *testing.T) {
	s := serve(t, scratch.Config{})
	tree(t, s)
	for _, depth := range []string{"infinity", ""} {
		got := s.want(t, http.StatusForbidden, "PROPFIND", "", "", "Depth", depth)
		if !strings.Contains(got.body, "propfind-finite-depth") {
			t.Errorf("Depth %q: %s", depth, got.body)
		}
	}
	s.want(t, http.StatusBadRequest, "PROPFIND", "", "", "Depth", "2")
	got := s.want(t, http.StatusMultiStatus, "PROPFIND", "", "", "Depth", "1")
	if strings.Count(got.body, "<D:response>") != 3 || strings.Contains(got.body, ".cosafs") {
		t.Errorf("want the collection, a and x: %s", got.body)
	}
}

// TestListing shows a collection to people and to scripts.
func TestListing(t *testing.T) {
	s := serveAs(t, scratch.Config{Dir: t.TempDir()}, access.Builder)
	tree(t, s)
	if got := s.want(t, http.StatusMovedPermanently, "GET", "a", ""); got.header.Get("Location") != "/upload/a/" {
		t.Errorf("Location %q", got.header.Get("Location"))
	}
	if got := s.want(t, http.StatusOK, "GET", "", "").body; !strings.Contains(got, "a/\n") || !strings.Contains(got, "1  x\n") {
		t.Errorf("as text: %s", got)
	}
	page := s.want(t, http.StatusOK, "GET", "a/", "", "Accept", "text/html,*/*")
	if !strings.Contains(page.body, `<a href="./b/">b/</a>`) || !strings.Contains(page.body, `href="../"`) {
		t.Errorf("as a page: %s", page.body)
	}
	if got := s.want(t, http.StatusOK, "HEAD", "a/", ""); got.body != "" {
		t.Errorf("HEAD has a body: %s", got.body)
	}
}

// wellFormed says whether a text is one XML document.
func wellFormed(text string) bool {
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		if _, err := d.Token(); err != nil {
			return errors.Is(err, io.EOF)
		}
	}
}
