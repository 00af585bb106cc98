package remote

import (
	"net"
	"os"
	"strconv"
)

// urlsOf gives what clients call the listeners by.
func urlsOf(listeners []net.Listener, secure bool) []string {
	scheme := "http"
	if secure {
		scheme = "https"
	}
	var urls []string
	for _, l := range listeners {
		addr, ok := l.Addr().(*net.TCPAddr)
		if !ok {
			urls = append(urls, l.Addr().Network()+":"+l.Addr().String())
			continue
		}
		for _, host := range hostsOf(addr) {
			urls = append(urls, scheme+"://"+net.JoinHostPort(host, strconv.Itoa(addr.Port)))
		}
	}
	return urls
}

// hostsOf gives the names of an address: one that stands for all of this
// machine's is called as this machine is.
func hostsOf(addr *net.TCPAddr) []string {
	if !addr.IP.IsUnspecified() {
		return []string{addr.AddrPort().Addr().Unmap().String()}
	}
	hosts := []string{"localhost"}
	if name, err := os.Hostname(); err == nil && name != "" && name != "localhost" {
		hosts = append(hosts, name)
	}
	return hosts
}
