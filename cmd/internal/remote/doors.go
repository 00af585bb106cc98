package remote

import (
	"context"
	"net/http"

	"cosafs/vfs"
	"cosafs/vfs/webui"
)

// doors are what there is behind the login.
type doors struct {
	files   http.Handler // the tree
	api     http.Handler
	page    http.Handler
	upload  http.Handler // nil = none
	root    vfs.Dir      // of the tree
	waiting func() int   // GETs that wait for a build
}

// openDoors makes the real ones.
func openDoors(_ context.Context, cfg Config, _ admission) (doors, error) {
	tree := cfg.Tree(vfs.Options{ListBuildable: cfg.ShowAll})
	return doors{
		api: webui.Handler(cfg.Service), files: http.NotFoundHandler(), page: http.NotFoundHandler(),
		root: tree.Root(), waiting: func() int { return 0 },
	}, nil
}
