// Package prefer reads what a client says of waiting: the Prefer header (RFC 7240).
package prefer

import (
	"net/http"
	"strings"
)

// A Preference is what was said.
type Preference struct {
	Async bool   // respond-async (4.1): rather not wait
	Wait  string // wait (4.3): seconds, as they were sent; "" for nothing
}

// Of reads a request's header. Parameters and preferences that it does not know say
// nothing.
func Of(h http.Header) Preference {
	var p Preference
	for one := range strings.SplitSeq(strings.Join(h.Values("Prefer"), ","), ",") {
		one, _, _ = strings.Cut(one, ";")
		name, value, _ := strings.Cut(one, "=")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "respond-async":
			p.Async = true
		case "wait":
			p.Wait = strings.Trim(value, "\" \t")
		}
	}
	return p
}
