package davfs

import "net/http"

// allowed are the methods that the door knows.
const allowed = "OPTIONS, GET, HEAD, PROPFIND"

// options answers OPTIONS, for any path: clients ask for parents of what they
// want, and for the server itself ("*"). Class 1 alone is claimed: a server that
// claims locks is mounted writable by Finder.
func options(w http.ResponseWriter) {
	h := w.Header()
	h.Set("DAV", "1")
	h.Set("Allow", allowed)
	h.Set("MS-Author-Via", "DAV") // else Windows tries FrontPage first
	h.Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
}
