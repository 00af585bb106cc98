package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"cosafs/cmd/internal/daemon"
	"cosafs/cmd/internal/remote"
	"cosafs/vfs"
	"cosafs/vfs/access"
	"cosafs/vfs/webui"
)

// serveSettings are the settings of remote doors: options of the commands that open one.
func serveSettings() []setting {
	return []setting{
		{name: "tls-cert", path: true, usage: "speak TLS with the certificate chain in `FILE`, which is read again when it changes",
			set: func(c *Config, v string) error { c.Serve.Cert = v; return nil }},
		{name: "tls-key", path: true, usage: "the private key of --tls-cert is in `FILE`",
			set: func(c *Config, v string) error { c.Serve.Key = v; return nil }},
		{name: "client-ca", path: true, usage: "who has a certificate of those in `FILE` is its common name",
			set: func(c *Config, v string) error { c.Serve.ClientCA = v; return nil }},
		{name: "htpasswd", path: true, usage: "let in who is in `FILE`, as htpasswd -B writes it",
			set: func(c *Config, v string) error { c.Serve.Htpasswd = v; return nil }},
		{name: "tokens", path: true, usage: "let in who has a token of `FILE`: lines of cosafs token",
			set: func(c *Config, v string) error { c.Serve.Tokens = v; return nil }},
		{name: "grant", form: words, usage: "`NAME=ROLE`: reader (looks and reads), builder (opens what must be made), admin (prunes, tags); who has none is a reader",
			set: func(c *Config, v string) error { c.Serve.Grants = strings.Fields(v); return nil }},
		{name: "let-everybody", usage: "who reaches the address is `ROLE` without a login: reader or builder",
			set: func(c *Config, v string) error { return setEverybody(&c.Serve.Everybody, v) }},
		{name: "allow-plain", form: yesno, usage: "take passwords over connections without TLS from other machines, too: a proxy there ends TLS",
			set: func(c *Config, v string) error { return setBool(&c.Serve.AllowPlain, v) }},
		{name: "allow-host", form: words, usage: "requests without a login may call this host `NAME`, too",
			set: func(c *Config, v string) error { c.Serve.Hosts = strings.Fields(v); return nil }},
		{name: "upload-dir", path: true, usage: "builders may write below /upload/, which is `DIR`",
			set: func(c *Config, v string) error { c.Serve.UploadDir = v; return nil }},
		{name: "list-buildable", form: yesno, usage: "list also what could be built, if its size is known: clients that copy all of it will build it",
			set: func(c *Config, v string) error { return setBool(&c.Serve.ShowAll, v) }},
		{name: "max-conns", fallback: "1000", usage: "`N` connections at once",
			set: func(c *Config, v string) error { return setCount(&c.Serve.MaxConns, v) }},
		{name: "rate", fallback: "0", usage: "`N` requests a second of one client; 0 is no limit",
			set: func(c *Config, v string) error { return setRate(&c.Serve.Rate, v) }},
		{name: "http-wait", fallback: "30m", usage: "a request for what must be made waits for `TIME`, then is told to come again",
			set: func(c *Config, v string) error { return setDuration(&c.Serve.Wait, v) }},
		{name: "http-linger", fallback: "30m", usage: "a job goes on for `TIME` when its HTTP clients have left",
			set: func(c *Config, v string) error { return setDuration(&c.Serve.Linger, v) }},
	}
}

func setEverybody(to *string, v string) error {
	*to = v
	if v == "" {
		return nil
	}
	return oneOf(to, v, access.Reader.String(), access.Builder.String())
}

func setCount(to *int, v string) error {
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 {
		return fmt.Errorf("%q is not a number from 1 up: %w", v, fs.ErrInvalid)
	}
	*to = n
	return nil
}

func setRate(to *float64, v string) error {
	n, err := strconv.ParseFloat(v, 64)
	if err != nil || n < 0 || n > 1e9 {
		return fmt.Errorf("%q is not a number from 0 up: %w", v, fs.ErrInvalid)
	}
	*to = n
	return nil
}

// serveFlags are the options of a command that opens remote doors.
func serveFlags() []cli.Flag {
	var flags []cli.Flag
	for _, s := range serveSettings() {
		flags = append(flags, s.flag())
	}
	return flags
}

func (p *program) serveCommand() *cli.Command {
	return &cli.Command{
		Name:  "serve",
		Usage: "show the builds to other machines: WebDAV, a page for browsers, a JSON API",
		Description: "Stays until it is interrupted. A daemon that runs for the build directory opens the door;\n" +
			"else this process is one. On this machine's own addresses nobody has to log in; others are\n" +
			"served only with --htpasswd, --tokens, --client-ca, or --let-everybody.",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "addr", Value: defaultAddr, Usage: "listen at `ADDR`: HOST:PORT, unix:/PATH, or systemd for the sockets that it was started with"},
		}, serveFlags()...),
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, 0, 0); err != nil {
				return err
			}
			if err := p.checkHome(); err != nil {
				return err
			}
			return p.openDoor(c.Context, p.doorAt(c.String("addr"), !c.IsSet("addr")))
		},
	}
}

// Where the doors are: if nobody says, and for the sockets of systemd.socket(5).
const (
	defaultAddr = "127.0.0.1:8080"
	systemd     = "systemd"
)

// doorAt gives the door that the settings describe. Who starts this with sockets
// (systemd.socket(5)) means those, unless an address was named.
func (p *program) doorAt(addr string, unnamed bool) webui.ServeRequest {
	req := p.cfg.Serve
	req.Addr = addr
	if unnamed && p.getenv("LISTEN_FDS") != "" {
		req.Addr = systemd
	}
	return req
}

// openDoor has the tree's daemon open the door until ctx ends, or is one.
func (p *program) openDoor(ctx context.Context, req webui.ServeRequest) error {
	var err error
	for range mountTries {
		err = webui.ErrNoDaemon
		if req.Addr != systemd { // the sockets are this process's
			err = p.askDoor(ctx, req)
		}
		if !errors.Is(err, webui.ErrNoDaemon) && !errors.Is(err, fs.ErrClosed) {
			break
		}
		err = p.beDaemon(ctx, nil, &req)
		if !errors.Is(err, webui.ErrRunning) {
			break
		}
	}
	switch {
	case interrupted(ctx, err):
		return nil
	case errors.Is(err, webui.ErrRunning):
		return hintf(err, "cosafs status shows it; who has systemd's sockets has to be the only one")
	}
	return err
}

// askDoor has the running daemon open the door.
func (p *program) askDoor(ctx context.Context, req webui.ServeRequest) error {
	c, err := p.dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	return c.Serve(ctx, req, p.tellDoor)
}

// tellDoor says where the doors are.
func (p *program) tellDoor(info webui.ServeInfo) {
	for _, url := range info.URLs {
		p.say("Serving %s", rootOf(url))
	}
}

// rootOf gives the root of the tree at a door's URL. A unix socket is named by its
// path, which ends there.
func rootOf(url string) string {
	if strings.HasPrefix(url, "unix:") {
		return url
	}
	return url + "/"
}

// serveAt gives the function that opens remote doors of a backend.
func (p *program) serveAt(log *slog.Logger) func(context.Context, daemon.Backend, webui.ServeRequest, func(webui.ServeInfo)) error {
	return func(ctx context.Context, b daemon.Backend, req webui.ServeRequest, tell func(webui.ServeInfo)) error {
		w, ok := b.(*watched)
		if !ok {
			return fmt.Errorf("serve a %T: %w", b, errors.ErrUnsupported)
		}
		s, err := remote.Listen(ctx, remote.Config{
			ServeRequest: req,
			Tree:         func(o vfs.Options) *vfs.FS { return vfs.New(w.Library(), o) },
			Service:      w,
			Ready:        w.ready,
			Version:      version(),
			Logger:       log,
		})
		if err != nil {
			return err
		}
		tell(webui.ServeInfo{URLs: s.URLs()})
		return s.Serve(ctx)
	}
}

// ready says why the tree is not complete yet, nil if it is.
func (w *watched) ready() error {
	select {
	case <-w.Asked():
		return nil
	default:
		return errors.New("the stores have not been asked yet")
	}
}
