package webstore

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// A login is what a store's host gets to see of who asks. The zero login is
// nobody.
type login struct{ bearer, name, password string }

func (l login) apply(req *http.Request) {
	switch {
	case l.bearer != "":
		req.Header.Set("Authorization", "Bearer "+l.bearer)
	case l.name != "" || l.password != "":
		req.SetBasicAuth(l.name, l.password)
	}
}

// findLogin looks where credentials may be: the token, the URL, the netrc file.
func findLogin(cfg Config, root *url.URL) (login, error) {
	if cfg.Bearer != "" {
		return login{bearer: cfg.Bearer}, nil
	}
	if root.User != nil {
		password, _ := root.User.Password()
		return login{name: root.User.Username(), password: password}, nil
	}
	text, err := readNetrc(cfg.Netrc)
	if err != nil {
		return login{}, fmt.Errorf("passwords: %w", err)
	}
	return netrc(text, root.Hostname()), nil
}

// readNetrc gives the file's text; only one that was asked for must be there.
func readNetrc(file string) (string, error) {
	asked := file != ""
	if !asked {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", nil
		}
		file = filepath.Join(home, ".netrc")
	}
	text, err := os.ReadFile(file)
	if !asked && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)) {
		return "", nil
	}
	return string(text), err
}

// netrc finds a host's login in a netrc file (inetutils' form, as curl reads it): of
// the first machine of that name, else the default.
func netrc(text, host string) login {
	var found login
	mine := false // what follows is of our host
	words := netrcWords(text)
	for i := 0; i < len(words); i++ {
		switch word := words[i]; {
		case (word == "machine" || word == "default") && mine:
			return found
		case word == "default":
			mine = true
		case i+1 == len(words):
			return found // cut short
		case word == "machine":
			i++
			mine = words[i] == host
		case word == "login", word == "password", word == "account":
			i++
			found.set(word, words[i], mine)
		}
	}
	return found
}

func (l *login) set(word, value string, mine bool) {
	switch {
	case !mine:
	case word == "login":
		l.name = value
	case word == "password":
		l.password = value
	}
}

// netrcWords gives the words of a netrc file without comments and macros, which go
// on up to an empty line.
func netrcWords(text string) []string {
	var words []string
	macro := false
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		macro = macro && len(fields) > 0
		for i := 0; i < len(fields) && !macro; i++ {
			if strings.HasPrefix(fields[i], "#") {
				break
			}
			if macro = fields[i] == "macdef"; !macro {
				words = append(words, fields[i])
			}
		}
	}
	return words
}
