// Package page is the door for people with a browser: the list of builds, a build
// with its artifacts, jobs, plans, differences and searches. It renders what a
// [webui.Service] and the tree say; looking is free, and only forms that a person
// submits start work.
//
// Everything works without JavaScript; with it, what changes is shown as it
// happens. All names, reasons and logs are data of others: they reach a page
// through html/template alone.
package page

import (
	"errors"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"cosafs/vfs"
	"cosafs/vfs/webui"
)

// Prefix is what the paths of assets, forms, jobs and questions begin with.
// Everything else are paths of the tree.
const Prefix = "/.cosafs/ui/"

// Config says what the pages show.
type Config struct {
	// Service answers questions and starts work. Differences and searches are
	// offered where it is a [webui.Keeper].
	Service webui.Service
	Tree    *vfs.FS
	Version string // of the program
	TLS     bool   // clients come by https, even where a proxy before this server speaks it
	Scratch string // name of the writable collection at the top, "" = none
	// Login is where one who is let in without a login may log in all the same; "" =
	// there is no such place.
	Login string
	// Mounts also tells where the tree is mounted on the machine that serves it.
	Mounts bool
	Logger *slog.Logger     // nil discards
	Now    func() time.Time // nil is time.Now
}

// A Site renders pages. It serves what is below [Prefix], and its methods are what
// the WebDAV door shows to browsers (davfs.Pages). It is safe for concurrent use
// and starts nothing of its own.
type Site struct {
	cfg    Config
	keeper webui.Keeper // nil where there is none
	assets *assets
	pages  map[string]*template.Template // by file name without suffix
	ui     http.Handler
	builds memo
}

var _ http.Handler = (*Site)(nil)

// New gives the site.
func New(cfg Config) (*Site, error) {
	if cfg.Service == nil || cfg.Tree == nil {
		return nil, errors.Join(fs.ErrInvalid, errors.New("a page needs a service and a tree"))
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Site{cfg: cfg}
	s.keeper, _ = cfg.Service.(webui.Keeper)
	var err error
	if s.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	if s.pages, err = parsePages(s.funcs()); err != nil {
		return nil, err
	}
	s.ui = s.routes()
	return s, nil
}

// ServeHTTP serves what is below [Prefix].
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.ui.ServeHTTP(w, r) }

// routes are the pages below [Prefix]. Forms of other sites are refused: a
// browser sends the credentials that it has for this one along with them.
func (s *Site) routes() http.Handler {
	mux := http.NewServeMux()
	get := func(path string, h http.HandlerFunc) { mux.HandleFunc("GET "+Prefix+path, h) }
	post := func(path string, h http.HandlerFunc) { mux.HandleFunc("POST "+Prefix+path, h) }
	get("assets/{name}", s.assets.serve)
	get("jobs/{$}", s.jobsPage)
	get("jobs/{id}", s.jobPage)
	get("plan", s.planPage)
	if s.keeper != nil {
		get("diff", s.diffPage)
		get("find", s.findPage)
	}
	post("build", s.build)
	post("retry", s.retry)
	post("cancel", s.cancel)
	mux.HandleFunc("/", s.nothing)
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(s.foreign))
	return guard.Handler(mux)
}

// nothing answers what is no page.
func (s *Site) nothing(w http.ResponseWriter, r *http.Request) {
	s.refuse(w, r, http.StatusNotFound, errNoPage)
}

// foreign answers forms of other sites.
func (s *Site) foreign(w http.ResponseWriter, r *http.Request) {
	s.refuse(w, r, http.StatusForbidden, errForeign)
}
