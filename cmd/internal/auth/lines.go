package auth

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"cosafs/materialize"
)

// maxName is the longest name in bytes; htpasswd(1) has the same limit.
const maxName = 255

// A lineFile is a file of NAME:SECRET lines; empty lines and those that start
// with # are comments.
type lineFile struct {
	path, kind, hint string
}

// read calls take for each line, and names the line that it refuses. Lines are
// never quoted: a wrong one may be a password.
func (f lineFile) read(take func(name, secret string) error) error {
	data, err := os.ReadFile(f.path)
	if err == nil {
		err = eachLine(string(data), take)
	}
	if err == nil {
		return nil
	}
	var path *fs.PathError
	if !errors.As(err, &path) {
		err = fmt.Errorf("%s: %w", f.path, err)
	}
	return materialize.Fail(materialize.ClassConfig, "read "+f.kind+" file", f.hint, err)
}

func eachLine(text string, take func(name, secret string) error) error {
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimRight(line, "\r\n")
		if strings.TrimSpace(line) == "" || line[0] == '#' {
			continue
		}
		name, secret, ok := strings.Cut(line, ":")
		err := checkName(name)
		switch {
		case !ok:
			err = fmt.Errorf("no colon: %w", fs.ErrInvalid)
		case err == nil:
			err = take(name, secret)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
	}
	return nil
}

// checkName refuses what can't be sent as a user name (RFC 7617 section 2).
func checkName(name string) error {
	switch {
	case strings.TrimSpace(name) == "":
		return fmt.Errorf("no name: %w", fs.ErrInvalid)
	case len(name) > maxName:
		return fmt.Errorf("a name of more than %d bytes: %w", maxName, fs.ErrInvalid)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("a name that is not plain UTF-8 text: %w", fs.ErrInvalid)
	}
	return nil
}
