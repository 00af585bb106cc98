package remote

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"

	"cosafs/vfs/access"
)

// hosts are the names that this server is called by. A page of another site can
// have its own name point to this server's address ("DNS rebinding"); a browser
// then takes the two for one site, and gives the page whatever it gets here
// without a login. But it tells the page's name as Host.
type hosts map[string]bool

// hostsKnown are those that were given, and those of this machine.
func hostsKnown(given []string) hosts {
	h := hosts{"localhost": true}
	if own, err := os.Hostname(); err == nil {
		h[canonical(own)] = true
	}
	for _, name := range given {
		h[canonical(name)] = true
	}
	return h
}

// canonical gives a name of the DNS as names are compared.
func canonical(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// check refuses requests without a login by which a page could reach through its
// reader's browser: 421 (RFC 9110, 15.5.20). Over TLS the browser has compared
// the name with the certificate, and none comes through a unix socket.
func (h hosts) check(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller := access.Of(r.Context())
		if caller.Name != "" || r.TLS != nil || caller.Addr == access.Unix || h.known(r.Host) {
			next.ServeHTTP(w, r)
			return
		}
		http.Error(w, fmt.Sprintf("Without a login this server is not to be called %q. Use its address, or log in, or start it with --allow-host %s.",
			clean(r.Host), clean(nameOf(r.Host))), http.StatusMisdirectedRequest)
	})
}

// known says whether no page of another site can have this name. An address is
// none; and a request without a Host (HTTP/1.0) is not a browser's.
func (h hosts) known(host string) bool {
	if host == "" {
		return true
	}
	name := nameOf(host)
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	name = canonical(name)
	return h[name] || strings.HasSuffix(name, ".localhost") // RFC 6761, 6.3
}

// nameOf gives a Host header without its port.
func nameOf(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
}
