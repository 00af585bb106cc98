package auth

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A refusal is an answer that a request gets instead of what it asked for.
type refusal struct {
	status int
	text   string        // for a person; no secrets
	after  time.Duration // when to try again; 0 = not said
}

func wrong(text string) *refusal { return &refusal{status: http.StatusUnauthorized, text: text} }

func forbidden(text string) *refusal { return &refusal{status: http.StatusForbidden, text: text} }

// plainRefusal keeps secrets off the wire: the next request would carry them again.
func plainRefusal() *refusal {
	return forbidden("Passwords and tokens are taken over TLS only, or from the server's own machine. Use https://.")
}

func tooMany(wait time.Duration) *refusal {
	return &refusal{http.StatusTooManyRequests, "Too many wrong logins. Wait, then try again.", wait}
}

func busy() *refusal {
	return &refusal{http.StatusServiceUnavailable, "Too many logins at once. Try again.", time.Second}
}

// answer writes a refusal.
func (g *Guard) answer(w http.ResponseWriter, r *http.Request, why *refusal) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	if why.status == http.StatusUnauthorized {
		h["Www-Authenticate"] = g.challenges(r)
	}
	if why.after > 0 {
		seconds := (why.after + time.Second - 1) / time.Second
		h.Set("Retry-After", strconv.Itoa(int(seconds)))
	}
	http.Error(w, why.text, why.status)
}

// challenges says how to log in. Tokens work as passwords, so Basic is always
// one way; clients of WebDAV know no other, and some fail at the sight of one.
func (g *Guard) challenges(r *http.Request) []string {
	list := []string{`Basic realm="cosafs", charset="UTF-8"`}
	if g.tokens != nil && !speaksDAV(r) {
		list = append(list, `Bearer realm="cosafs"`)
	}
	return list
}

// speaksDAV knows a client of WebDAV by its methods, else by its name.
func speaksDAV(r *http.Request) bool {
	if !slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodPost}, r.Method) {
		return true
	}
	agent := strings.ToLower(r.UserAgent())
	return slices.ContainsFunc(davAgents(), func(name string) bool { return strings.Contains(agent, name) })
}

// davAgents are parts of the User-Agent of clients that start with a GET or HEAD.
// "dav" stands for davfs2, WebDAVFS (macOS), Microsoft-WebDAV-MiniRedir and gvfs'
// older names; neon and gvfs for what is built on them.
func davAgents() []string {
	return []string{"dav", "neon", "gvfs", "rclone", "cadaver", "litmus", "cyberduck"}
}
