// Package davfs is the door for remote clients: the tree over WebDAV (RFC 4918),
// class 1 and read-only, and over plain GET.
//
// Looking is free: PROPFIND answers from the tree's attributes and opens nothing.
// A GET opens, and so makes what does not exist yet; it waits for that.
// Who may ask for what is decided above (the server notes the caller in the
// request's ctx) and below (a file's Open says no); the door itself refuses
// nothing but changes.
//
// Names are percent-encoded bytes of UTF-8, each path one of [fs.ValidPath] below
// the root. A name that no request can carry (not UTF-8, or with a backslash,
// which some clients take for a slash) is neither listed nor found. One with
// control characters is; XML can't say them, so that its displayname has U+FFFD
// in their place, while its href is exact.
package davfs

import (
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"cosafs/vfs"
)

// Config says what a [Door] shows. Only Tree is needed.
type Config struct {
	Tree   *vfs.FS
	Logger *slog.Logger // nil discards
	// Wait is how long a GET waits for a build at most, before 503 and Retry-After;
	// 0 is 30 minutes.
	Wait time.Duration
	// Interim is the time between interim answers (102, 307) to clients that need
	// them; 0 is 20 s, less than the shortest common timeout (30 s, davfs2 and apt).
	Interim time.Duration
	// Pages shows people what clients get otherwise; nil is plain text.
	Pages Pages
	// Scratch names the writable collection that the root lists ("upload"), "" for
	// none. Serving it is the router's part; it hides an entry of that name.
	Scratch string
}

// Pages renders for browsers. Each method writes the whole answer. Paths have no
// slashes at their ends; "" is the root. Safe for concurrent use.
type Pages interface {
	// Directory answers GET and HEAD of a collection, in HTML or JSON by Accept.
	Directory(w http.ResponseWriter, r *http.Request, path string, d vfs.Dir)
	// Waiting is the 503 that refreshes itself while the file is built; the download
	// then starts by itself.
	Waiting(w http.ResponseWriter, r *http.Request, path string)
	// Ask offers to build, where the request itself must not: it came from another
	// site, or its caller is a reader.
	Ask(w http.ResponseWriter, r *http.Request, path string)
	// Failed gives reason, hint, the log and a way to try again.
	Failed(w http.ResponseWriter, r *http.Request, path string, status int, err error)
}

// A Door is the tree as an [http.Handler]. It is safe for concurrent use, and
// starts nothing that outlives a request.
type Door struct {
	cfg     Config
	tree    *vfs.FS
	log     *slog.Logger
	waiting atomic.Int64 // GETs that wait for a build
	zips    sync.Pool    // *gzip.Writer
	pieces  sync.Pool    // *piece
}

// Defaults of [Config].
const (
	defaultWait    = 30 * time.Minute
	defaultInterim = 20 * time.Second
)

// New gives the door to cfg.Tree.
func New(cfg Config) *Door {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Wait <= 0 {
		cfg.Wait = defaultWait
	}
	if cfg.Interim <= 0 {
		cfg.Interim = defaultInterim
	}
	return &Door{cfg: cfg, tree: cfg.Tree, log: cfg.Logger}
}

// Waiting is how many GETs wait for a build now.
func (d *Door) Waiting() int { return int(d.waiting.Load()) }

// ServeHTTP answers one request.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodOptions:
		options(w)
	case http.MethodGet, http.MethodHead, "PROPFIND":
		d.look(w, r)
	case http.MethodPut, http.MethodDelete, "MKCOL", "COPY", "MOVE", "PROPPATCH":
		refuse(w, r)
	default:
		notAllowed(w)
	}
}

// look answers the methods that need a path of the tree.
func (d *Door) look(w http.ResponseWriter, r *http.Request) {
	path, slash, err := cleanPath(r.URL)
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
	case r.Method == "PROPFIND":
		d.propfind(w, r, path, slash)
	default:
		d.read(w, r, path, slash)
	}
}
