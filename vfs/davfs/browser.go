package davfs

import (
	"net/http"
	"net/url"
	"strings"
)

// isBrowser says whether a person waits for the answer: a browser that wants to
// show a page.
func isBrowser(r *http.Request) bool {
	return strings.HasPrefix(r.UserAgent(), "Mozilla/") && strings.Contains(r.Header.Get("Accept"), "text/html")
}

// uninvited says whether a browser asks on its own behalf, or on that of another
// site: for a picture of somebody's page, or to have what may be clicked next. Such
// a request builds nothing. Over plain HTTP from another machine browsers say only
// where the request comes from.
func uninvited(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "cross-site", "same-site":
		return true
	case "":
		if from, err := url.Parse(r.Referer()); err == nil && from.Host != "" && from.Host != r.Host {
			return true
		}
	}
	return strings.Contains(r.Header.Get("Sec-Purpose"), "prefetch") || strings.Contains(r.Header.Get("Purpose"), "prefetch")
}
