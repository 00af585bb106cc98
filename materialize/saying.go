package materialize

import "fmt"

// A saying is an error that is a sentinel to errors.Is, in words that fit where it
// comes from: "file does not exist" tells nobody that a build is missing.
type saying struct {
	sentinel error
	text     string
}

// Says gives an error that wraps a sentinel and has a text of its own.
func Says(sentinel error, format string, args ...any) error {
	return &saying{sentinel: sentinel, text: fmt.Sprintf(format, args...)}
}

// Error gives the words alone.
func (s *saying) Error() string { return s.text }

// Unwrap gives the sentinel.
func (s *saying) Unwrap() error { return s.sentinel }
