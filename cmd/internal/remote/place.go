package remote

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/coreos/go-systemd/v22/activation"
	"golang.org/x/sys/unix"

	"cosafs/materialize"
)

// A place is where to listen.
type place struct {
	addr    string // as it was asked for
	network string // tcp, unix; "" where the listeners are open already
	listen  string // in the network's form; names are resolved
	public  bool   // other machines reach it
	open    []net.Listener
}

// placeOf reads an address: HOST:PORT, :PORT, unix:/PATH or systemd. A name
// stands for the first of its addresses, IPv4 before IPv6, and is resolved only
// here: what was judged is what is opened.
func placeOf(ctx context.Context, cfg Config) (place, error) {
	if cfg.Listeners != nil {
		return placeOfListeners(cfg.Addr, cfg.Listeners), nil
	}
	if cfg.Addr == "systemd" {
		return placeOfSystemd()
	}
	if path, ok := strings.CutPrefix(cfg.Addr, "unix:"); ok {
		if !filepath.IsAbs(path) {
			return place{}, badAddr(cfg.Addr, fmt.Errorf("a socket needs an absolute path: %w", fs.ErrInvalid))
		}
		return place{addr: cfg.Addr, network: "unix", listen: filepath.Clean(path)}, nil
	}
	return placeOfTCP(ctx, cfg.Addr)
}

func placeOfTCP(ctx context.Context, addr string) (place, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return place{}, badAddr(addr, fmt.Errorf("%w: %w", err, fs.ErrInvalid))
	}
	number, err := net.DefaultResolver.LookupPort(ctx, "tcp", port)
	if err != nil {
		return place{}, badAddr(addr, fmt.Errorf("%w: %w", err, fs.ErrInvalid))
	}
	p := place{addr: addr, network: "tcp", public: true}
	ip := ""
	if host != "" {
		found, err := resolve(ctx, host)
		if err != nil {
			return place{}, badAddr(addr, err)
		}
		p.public, ip = !found.IsLoopback(), found.String()
	}
	p.listen = net.JoinHostPort(ip, fmt.Sprint(number))
	return p, nil
}

// resolve gives the first address of a name.
func resolve(ctx context.Context, host string) (netip.Addr, error) {
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("find the address of %s: %w", host, err)
	}
	for _, ip := range ips {
		if ip.Unmap().Is4() {
			return ip.Unmap(), nil
		}
	}
	return ips[0], nil
}

func badAddr(addr string, err error) error {
	return materialize.Fail(materialize.ClassConfig, fmt.Sprintf("serve %q", addr),
		"give --addr HOST:PORT, :PORT, unix:/PATH, or systemd", err)
}

// placeOfSystemd takes the sockets that systemd opened: sd_listen_fds(3).
func placeOfSystemd() (place, error) {
	all, err := activation.Listeners()
	var open []net.Listener
	for _, l := range all {
		if l != nil { // nil stands for a socket that can't be listened at
			open = append(open, l)
		}
	}
	if err == nil && len(open) == 0 {
		err = fmt.Errorf("systemd passed no sockets to this process: %w", fs.ErrNotExist)
	}
	if err != nil {
		closeAll(open)
		return place{}, materialize.Fail(materialize.ClassConfig, "serve at systemd's sockets",
			"start cosafs by a systemd socket unit with ListenStream=, or give --addr HOST:PORT", err)
	}
	return placeOfListeners("systemd", open), nil
}

func placeOfListeners(addr string, open []net.Listener) place {
	p := place{addr: addr, open: open}
	for _, l := range open {
		p.public = p.public || public(l.Addr())
	}
	return p
}

// public says whether other machines reach an address. One of an unknown kind
// could be.
func public(addr net.Addr) bool {
	switch a := addr.(type) {
	case *net.UnixAddr:
		return false
	case *net.TCPAddr:
		return !a.IP.IsLoopback()
	}
	return true
}

// bind opens the place. A unix socket is open to everybody on this machine where
// they have to log in, else to its owner alone.
func (p place) bind(ctx context.Context, logins bool) ([]net.Listener, error) {
	if p.open != nil {
		return p.open, nil
	}
	if p.network == "unix" {
		if err := removeDead(ctx, p.listen); err != nil {
			return nil, p.cantListen(err)
		}
	}
	// The mode is set before the socket has a name: bind(2) takes it over.
	lc := net.ListenConfig{Control: func(network, _ string, c syscall.RawConn) (err error) {
		if network != "unix" {
			return nil
		}
		return errors.Join(c.Control(func(fd uintptr) { err = unix.Fchmod(int(fd), 0o600) }), err)
	}}
	l, err := lc.Listen(ctx, p.network, p.listen)
	if err == nil && p.network == "unix" && logins {
		err = os.Chmod(p.listen, 0o666)
	}
	if err != nil {
		if l != nil {
			_ = l.Close() // chmod's error is the one to tell
		}
		return nil, p.cantListen(err)
	}
	return []net.Listener{l}, nil
}

// removeDead removes the socket of a process that is gone.
func removeDead(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s is something else: %w", path, fs.ErrExist)
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if err == nil {
		_ = conn.Close() // it only showed that somebody is there
		return fmt.Errorf("%s: somebody listens: %w", path, fs.ErrExist)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	return os.Remove(path)
}

// cantListen says what to do where the place can't be had.
func (p place) cantListen(err error) error {
	hint := "give another --addr"
	switch {
	case errors.Is(err, syscall.EADDRINUSE), errors.Is(err, fs.ErrExist):
		hint = "give another --addr, or end what listens there (ss -ltnxp shows it)"
		if !errors.Is(err, fs.ErrExist) {
			err = fmt.Errorf("%w: %w", err, fs.ErrExist)
		}
	case errors.Is(err, fs.ErrPermission) && p.network == "tcp":
		hint = "ports below 1024 are for root: give a higher one, or have systemd open it (--addr systemd)"
	}
	return materialize.Fail(materialize.ClassConfig, "serve "+p.addr, hint, err)
}
