package webui

import "context"

// A Mounter shows the tree at places of this machine. The daemon is one beside
// being a [Service]; [Handler] offers the mount routes only where its service
// is one.
type Mounter interface {
	// Mount shows the tree at req.Dir and returns when it answers there. A
	// place that shows the same tree already is success; a place in use by
	// something else is fs.ErrExist.
	Mount(ctx context.Context, req MountRequest) error
	// Unmount takes the tree away from dir, detaching it where it is busy.
	// A place that this process did not mount is fs.ErrNotExist.
	Unmount(ctx context.Context, dir string) error
}

// A MountRequest says where to show the tree, and how.
type MountRequest struct {
	Dir        string `json:"dir"`                   // absolute path of an existing directory
	AllowOther bool   `json:"allow-other,omitempty"` // other users may look, too
	ShowAll    bool   `json:"show-all,omitempty"`    // list what could be built, not only what is
}
