package webui

import (
	"context"
	"fmt"
	"io/fs"
	"time"
)

// A ServeRequest says where the remote doors listen, and who may come in. All
// files are named by absolute paths.
type ServeRequest struct {
	// Addr is HOST:PORT, :PORT, unix:/PATH, or "systemd" for the sockets that the
	// process was started with (sd_listen_fds(3)).
	Addr string `json:"addr"`

	Cert     string `json:"cert,omitempty"`      // PEM certificate chain; with Key it makes the door speak TLS
	Key      string `json:"key,omitempty"`       // PEM private key
	ClientCA string `json:"client-ca,omitempty"` // who has a certificate of these is its common name

	Htpasswd  string   `json:"htpasswd,omitempty"`  // names and bcrypt hashes, as htpasswd(1) -B writes them
	Tokens    string   `json:"tokens,omitempty"`    // lines NAME:SHA256HEX of bearer tokens
	Grants    []string `json:"grants,omitempty"`    // NAME=ROLE; who has none is a reader
	Everybody string   `json:"everybody,omitempty"` // role of those who don't log in: "", reader, builder

	// AllowPlain takes passwords and tokens over connections without TLS from other
	// machines, too: for a proxy on another machine that ends TLS.
	AllowPlain bool `json:"allow-plain,omitempty"`

	Hosts     []string `json:"hosts,omitempty"`      // names that requests without a login may call this host by, besides its addresses and localhost
	UploadDir string   `json:"upload-dir,omitempty"` // the scratch collection /upload/; "" = none
	ShowAll   bool     `json:"show-all,omitempty"`   // list what could be built, where its size is known

	// Stay keeps the door open for as long as the daemon has something else to show,
	// rather than for as long as the caller waits.
	Stay bool `json:"stay,omitempty"`

	MaxConns int           `json:"max-conns,omitempty"` // connections at once; 0 = 1000
	Rate     float64       `json:"rate,omitempty"`      // requests a second of one client; 0 = no limit
	Wait     time.Duration `json:"wait,omitempty"`      // how long a GET waits for a build, in nanoseconds; 0 = 30 minutes
	Linger   time.Duration `json:"linger,omitempty"`    // how long a job goes on when its HTTP clients left, in nanoseconds; 0 = 30 minutes
}

// A ServeInfo says what a door answers to.
type ServeInfo struct {
	URLs []string `json:"urls"` // without a final slash
}

// An Opener opens remote doors. The daemon is one beside being a [Service];
// [Handler] offers the route only where its service is one, and only on the
// unix socket.
type Opener interface {
	// Serve opens the remote doors, tells tell once where, and keeps them open
	// until ctx ends, which is no error; if they stay it returns when they are open.
	// A place in use is fs.ErrExist; a public address without a way to log in is
	// fs.ErrPermission.
	Serve(ctx context.Context, req ServeRequest, tell func(ServeInfo)) error
}

// serveDoor is Serve for a caller elsewhere: a door that closes while he wants it
// open is an error for him.
func serveDoor(ctx context.Context, o Opener, req ServeRequest, tell func(ServeInfo)) error {
	err := o.Serve(ctx, req, tell)
	if err == nil && !req.Stay {
		return fmt.Errorf("serve %s: the daemon closed the door: %w", req.Addr, fs.ErrClosed)
	}
	return err
}
