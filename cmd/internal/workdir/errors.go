package workdir

import (
	"fmt"
	"io/fs"

	"cosafs/materialize"
)

// A saying is an error that is a sentinel to errors.Is, in words that fit here:
// "file does not exist" tells nobody that a build is missing.
type saying struct {
	sentinel error
	text     string
}

func says(sentinel error, format string, args ...any) error {
	return &saying{sentinel: sentinel, text: fmt.Sprintf(format, args...)}
}

// Error gives the words alone.
func (s *saying) Error() string { return s.text }

// Unwrap gives the sentinel.
func (s *saying) Unwrap() error { return s.sentinel }

// noBuild says that builds.json names no such build.
func noBuild(id string) error {
	return materialize.Fail(materialize.ClassConfig, "find build "+id, "see the builds with: cosafs list",
		says(fs.ErrNotExist, "there is none of this name"))
}
