package remote

import (
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"unicode"
)

// What a browser could send as Host, for a page of another site, is never taken
// for a name of this machine: net/url reads it as browsers do.
func FuzzHosts(f *testing.F) {
	for _, host := range []string{"localhost", "[::1]:80", "evil.example", "localhost.evil", "x.localhost:1", "::1", "a:b:c", "[", ":80", ""} {
		f.Add(host)
	}
	h := hosts{"localhost": true}
	f.Fuzz(func(t *testing.T, host string) {
		u, err := url.Parse("http://" + host + "/")
		if err != nil || u.Host != host || u.Path != "/" || u.Hostname() == "" || !h.known(host) {
			return
		}
		name := canonical(u.Hostname())
		if _, err := netip.ParseAddr(u.Hostname()); err != nil && name != "localhost" && !strings.HasSuffix(name, ".localhost") {
			t.Errorf("%q is taken for one of this machine's names", host)
		}
	})
}

// Nothing that a client sends ends a line of the log, or moves a terminal's cursor.
func FuzzClean(f *testing.F) {
	f.Add("/a b")
	f.Add("/\n\x1b[2J\u202e")
	f.Add(strings.Repeat("x", cleanMost+1))
	f.Fuzz(func(t *testing.T, text string) {
		got := clean(text)
		if strings.ContainsFunc(got, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsPrint(r) }) {
			t.Errorf("%q became %q", text, got)
		}
		if len(got) > 6*cleanMost {
			t.Errorf("%d bytes became %d", len(text), len(got))
		}
	})
}
