package remote

import (
	"context"
	"fmt"
	"net/http"

	"cosafs/vfs"
	"cosafs/vfs/davfs"
	"cosafs/vfs/davfs/scratch"
	"cosafs/vfs/webui"
	"cosafs/vfs/webui/page"
)

// doors are what there is behind the login.
type doors struct {
	files   http.Handler // the tree
	api     http.Handler
	page    http.Handler
	upload  http.Handler // nil = none
	root    vfs.Dir      // of the tree
	waiting func() int   // GETs that wait for a build
	close   func() error // called when no request is left
}

// openDoors makes the real ones.
func openDoors(_ context.Context, cfg Config) (doors, error) {
	tree := cfg.Tree(vfs.Options{ListBuildable: cfg.ShowAll})
	name, login := "", ""
	if cfg.UploadDir != "" {
		name = uploadPath[1:]
	}
	if cfg.Htpasswd != "" || cfg.Tokens != "" {
		login = loginPath
	}
	site, err := page.New(page.Config{
		Service: cfg.Service, Tree: tree, Version: cfg.Version, TLS: cfg.Cert != "", Scratch: name, Login: login, Logger: cfg.Logger,
	})
	if err != nil {
		return doors{}, fmt.Errorf("make the pages: %w", err)
	}
	files := davfs.New(davfs.Config{Tree: tree, Logger: cfg.Logger, Wait: cfg.Wait, Pages: site, Scratch: name})
	d := doors{
		files: files, api: webui.Handler(cfg.Service), page: site, root: tree.Root(), waiting: files.Waiting,
		close: func() error { return nil },
	}
	if cfg.UploadDir == "" {
		return d, nil
	}
	uploads, err := scratch.New(scratch.Config{Dir: cfg.UploadDir, Prefix: uploadPath, MaxBytes: uploadBytes, Logger: cfg.Logger})
	if err != nil {
		return doors{}, cantUpload(err)
	}
	d.upload, d.close = uploads, uploads.Close
	return d, nil
}
