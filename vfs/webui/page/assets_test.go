package page_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"cosafs/vfs/access"
)

func TestAssets(t *testing.T) {
	w := newWorld(t)
	found := regexp.MustCompile(`/\.cosafs/ui/assets/[a-z]+\.[0-9a-f]{16}\.(css|js|svg)`).FindAllString(w.get(t, access.Reader, "/").Body.String(), -1)
	if len(found) != 3 {
		t.Fatalf("the page refers to %v", found)
	}
	for _, target := range found {
		rec := w.get(t, access.Nobody, target)
		h := rec.Header()
		if rec.Code != http.StatusOK || !strings.Contains(h.Get("Cache-Control"), "immutable") || rec.Body.Len() == 0 {
			t.Errorf("%s: %d, %v", target, rec.Code, h)
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
		r.Header.Set("If-None-Match", h.Get("ETag"))
		again := httptest.NewRecorder()
		w.site.ServeHTTP(again, r)
		if again.Code != http.StatusNotModified {
			t.Errorf("%s, asked again: %d", target, again.Code)
		}
	}
	if got := w.get(t, access.Reader, "/.cosafs/ui/assets/style.css").Code; got != http.StatusNotFound {
		t.Errorf("a name without a hash: %d", got)
	}
}
