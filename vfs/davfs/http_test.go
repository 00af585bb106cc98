package davfs_test

import (
	"encoding/xml"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"cosafs/vfs"
	"cosafs/vfs/davfs"
	"cosafs/vfs/vfstest"
)

// door gives a door to the fixture without a network.
func door(tb testing.TB, f vfstest.Fixture, cfg davfs.Config) (*davfs.Door, *vfstest.Library) {
	tb.Helper()
	lib, err := vfstest.NewLibrary(f, tb.TempDir())
	if err != nil {
		tb.Fatal(err)
	}
	cfg.Tree = vfs.New(lib, vfs.Options{})
	return davfs.New(cfg), lib
}

// ask sends a request to a handler; target is as it stands in a request line.
func ask(tb testing.TB, h http.Handler, method, target, body string, header ...string) *httptest.ResponseRecorder {
	tb.Helper()
	r := httptest.NewRequestWithContext(tb.Context(), method, target, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// told is a multistatus answer: by href, then by status ("" of the response
// itself), the properties' values by their names with namespaces.
type told map[string]map[string]map[string]string

// propfind asks and reads the answer, which must be a multistatus.
func propfind(tb testing.TB, h http.Handler, target, depth, body string) told {
	tb.Helper()
	resp := ask(tb, h, "PROPFIND", target, body, "Depth", depth)
	if resp.Code != http.StatusMultiStatus {
		tb.Fatalf("PROPFIND %s: %d: %s", target, resp.Code, resp.Body)
	}
	return parse(tb, resp.Body.String())
}

// parse reads a multistatus answer, which must be well-formed.
func parse(tb testing.TB, answer string) told {
	tb.Helper()
	var m struct {
		XMLName   xml.Name `xml:"DAV: multistatus"`
		Responses []struct {
			Href     string `xml:"DAV: href"`
			Status   string `xml:"DAV: status"`
			Propstat []struct {
				Status string `xml:"DAV: status"`
				Prop   struct {
					All []struct {
						XMLName xml.Name
						Inner   string `xml:",innerxml"`
					} `xml:",any"`
				} `xml:"DAV: prop"`
			} `xml:"DAV: propstat"`
		} `xml:"DAV: response"`
	}
	if err := xml.Unmarshal([]byte(answer), &m); err != nil {
		tb.Fatalf("%v in %s", err, answer)
	}
	t := told{}
	for _, r := range m.Responses {
		if t[r.Href] != nil || len(r.Propstat) == 0 && r.Status == "" {
			tb.Errorf("%s is told of twice, or without a status", r.Href)
		}
		t[r.Href] = map[string]map[string]string{}
		for _, p := range r.Propstat {
			values := map[string]string{}
			for _, v := range p.Prop.All {
				values[v.XMLName.Space+" "+v.XMLName.Local] = v.Inner
			}
			t[r.Href][strings.TrimPrefix(p.Status, "HTTP/1.1 ")] = values
		}
	}
	return t
}

// hrefs lists what was told of.
func (t told) hrefs() []string { return slices.Sorted(maps.Keys(t)) }

// found gives the properties that a resource has.
func (t told) found(href string) map[string]string { return t[href]["200 OK"] }

// absent names those that it has not.
func (t told) absent(href string) []string {
	return slices.Sorted(maps.Keys(t[href]["404 Not Found"]))
}
