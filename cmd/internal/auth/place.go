package auth

import (
	"net"
	"net/http"
	"net/netip"

	"cosafs/vfs/access"
)

// A place is where a request comes from.
type place struct {
	addr    string // for people: an address without a port, or "unix"
	network string // see [access.Network]
	local   bool   // nothing but this machine is between
}

// placeOf trusts the connection only, not what a header says. An address that it
// can't read is a remote one.
func placeOf(r *http.Request) place {
	if at, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && at.Network() == "unix" {
		return place{addr: access.Unix, local: true}
	}
	full, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return place{addr: r.RemoteAddr, network: r.RemoteAddr}
	}
	ip := full.Addr().Unmap()
	return place{addr: ip.String(), network: access.Network(ip.String()), local: ip.IsLoopback()}
}
