package auth

import (
	"net/http"
	"strings"
)

// Credentials are what an Authorization header says: a bearer token has no name.
type credentials struct {
	name, secret string
	bearer       bool
}

// credentialsOf reads the header (RFC 9110 section 11.6.2). sent says that there
// is one, ok that it can be understood.
func credentialsOf(r *http.Request) (c credentials, sent, ok bool) {
	headers := r.Header.Values("Authorization")
	if len(headers) != 1 {
		return c, len(headers) > 0, false
	}
	if name, password, ok := r.BasicAuth(); ok {
		return credentials{name: name, secret: password}, true, true
	}
	scheme, rest, _ := strings.Cut(headers[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return c, true, false
	}
	return credentials{secret: strings.TrimLeft(rest, " "), bearer: true}, true, true
}
