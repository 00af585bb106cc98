package webstore

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"os"
	"strings"
)

// credentials gives the value of the header that logs in at root's host, "" if
// there is nothing to log in with.
func credentials(cfg Config, root *url.URL) (string, error) {
	switch {
	case cfg.Bearer != "":
		return "Bearer " + cfg.Bearer, nil
	case root.User != nil:
		password, _ := root.User.Password()
		return basic(root.User.Username(), password), nil
	case cfg.Netrc == "":
		return "", nil
	}
	text, err := os.ReadFile(cfg.Netrc)
	if err != nil {
		return "", fmt.Errorf("passwords: %w", err)
	}
	if a := lookup(string(text), root.Hostname()); a != (account{}) {
		return basic(a.login, a.password), nil
	}
	return "", nil
}

func basic(name, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+password))
}

// An account is what a netrc file says about one host.
type account struct{ login, password string }

// lookup gives the first account for a host in a netrc file's text, or the one of
// "default", or an empty one. What it does not know it skips: programs have put words of their own
// there since 1985, and all of it is in the GNU Inetutils manual, "The .netrc file",
// but for comments and quotes, which curl and Python read too.
func lookup(text, host string) account {
	w := words{rest: text}
	var other, found account
	into := &other // what is being described
	for word, ok := w.keyword(); ok; word, ok = w.keyword() {
		switch word {
		case "machine", "default":
			if into == &found {
				return found
			}
			if word == "default" || strings.EqualFold(w.value(), host) {
				into = &found
			}
		case "login", "user":
			into.login = w.value()
		case "password":
			into.password = w.value()
		case "account":
			w.value()
		case "macdef":
			w.skipMacro()
		}
	}
	return found
}

// words reads a netrc file word by word.
type words struct{ rest string }

const space = " \t\r\n"

// keyword gives the next word that is not in a comment, false at the end.
func (w *words) keyword() (string, bool) {
	for {
		w.rest = strings.TrimLeft(w.rest, space)
		if w.rest == "" {
			return "", false
		}
		if w.rest[0] != '#' {
			return w.value(), true
		}
		_, w.rest, _ = strings.Cut(w.rest, "\n")
	}
}

// value gives the next word, whatever it begins with: passwords may begin with #.
func (w *words) value() string {
	w.rest = strings.TrimLeft(w.rest, space)
	if strings.HasPrefix(w.rest, `"`) {
		return w.quoted()
	}
	end := strings.IndexAny(w.rest, space)
	if end < 0 {
		end = len(w.rest)
	}
	word := w.rest[:end]
	w.rest = w.rest[end:]
	return word
}

// quoted gives a word in double quotes, where a backslash makes the next
// character an ordinary one.
func (w *words) quoted() string {
	var b strings.Builder
	for i := 1; i < len(w.rest); i++ {
		switch c := w.rest[i]; {
		case c == '"':
			w.rest = w.rest[i+1:]
			return b.String()
		case c == '\\' && i+1 < len(w.rest):
			i++
			b.WriteByte(w.rest[i])
		default:
			b.WriteByte(c)
		}
	}
	w.rest = ""
	return b.String()
}

// skipMacro skips a macro's name and its lines, which an empty line ends.
func (w *words) skipMacro() {
	_, w.rest, _ = strings.Cut(strings.ReplaceAll(w.rest, "\r\n", "\n"), "\n\n")
}
