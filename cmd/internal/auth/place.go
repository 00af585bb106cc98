package auth

import (
	"net"
	"net/http"
	"net/netip"
)

// A place is where a request comes from.
type place struct {
	addr    string // for people: an address without a port, or "unix"
	network string // what one host has: of IPv6 a whole /64
	local   bool   // nothing but this machine is between
}

// placeOf trusts the connection only, not what a header says. An address that it
// can't read is a remote one.
func placeOf(r *http.Request) place {
	if at, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && at.Network() == "unix" {
		return place{addr: "unix", local: true}
	}
	full, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return place{addr: r.RemoteAddr, network: r.RemoteAddr}
	}
	ip := full.Addr().Unmap()
	p := place{addr: ip.String(), network: ip.String(), local: ip.IsLoopback()}
	if ip.Is6() {
		p.network = netip.PrefixFrom(ip.WithZone(""), 64).Masked().String()
	}
	return p
}
