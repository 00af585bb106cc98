package scratch_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"cosafs/vfs/access"
	"cosafs/vfs/davfs/scratch"
)

// FuzzBodies sends any body by PROPPATCH, PROPFIND and LOCK. Whatever is taken,
// the file's properties can be listed afterwards, as well-formed XML.
func FuzzBodies(f *testing.F) {
	for _, body := range []string{
		patch("color", "red"), patch("x", "<t:x>1</t:x>"), patch("x", "<y xmlns='urn:u' a='1'><z/></y><!-- c --><?p i?>"), patch("x", "<![CDATA[<]]>&#x41;"),
		lockBody("LOCK", "exclusive"), lockBody("LOCK", "shared"), `<propfind xmlns="DAV:"><allprop/></propfind>`, `<a xmlns:b=""/>`,
		`<propertyupdate xmlns="DAV:"><remove><prop><color xmlns="urn:t"/></prop></remove></propertyupdate>`, "",
	} {
		f.Add(body)
	}
	c, err := scratch.New(scratch.Config{Dir: f.TempDir(), Prefix: prefix})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := c.Close(); err != nil {
			f.Error(err)
		}
	})
	f.Fuzz(func(t *testing.T, body string) {
		token := ""
		do := func(method, body string) *httptest.ResponseRecorder {
			ctx := access.With(t.Context(), access.Caller{Role: access.Builder})
			r := httptest.NewRequestWithContext(ctx, method, prefix+"/x", strings.NewReader(body))
			r.Header.Set("Depth", "0")
			r.Header.Set("Lock-Token", token)
			w := httptest.NewRecorder()
			c.ServeHTTP(w, r)
			return w
		}
		do("PUT", "x")
		for _, method := range []string{"PROPPATCH", "PROPFIND", "LOCK"} {
			got := do(method, body)
			if got.Code >= http.StatusInternalServerError && got.Code != http.StatusInsufficientStorage {
				t.Errorf("%s: %d %s", method, got.Code, got.Body)
			}
			token = got.Header().Get("Lock-Token")
			if strings.Contains(got.Header().Get("Content-Type"), "xml") && !wellFormed(got.Body.String()) {
				t.Errorf("%s: %s", method, got.Body)
			}
		}
		if token != "" {
			do("UNLOCK", "")
		}
		if got := do("PROPFIND", ""); got.Code != http.StatusMultiStatus || !wellFormed(got.Body.String()) {
			t.Errorf("after it PROPFIND: %d %s", got.Code, got.Body)
		}
		if got := do("DELETE", ""); got.Code != http.StatusNoContent {
			t.Errorf("DELETE: %d %s", got.Code, got.Body)
		}
	})
}
