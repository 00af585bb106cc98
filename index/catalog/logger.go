package catalog

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/dgraph-io/badger/v4"
)

// logger gives badger's talk to slog. Only its errors are news for anybody else.
type logger struct{ log *slog.Logger }

var _ badger.Logger = logger{}

// Errorf implements [badger.Logger].
func (l logger) Errorf(format string, args ...any) { l.log.Warn(line(format, args)) }

// Warningf implements [badger.Logger].
func (l logger) Warningf(format string, args ...any) { l.log.Debug(line(format, args)) }

// Infof implements [badger.Logger].
func (l logger) Infof(format string, args ...any) { l.log.Debug(line(format, args)) }

// Debugf implements [badger.Logger].
func (l logger) Debugf(format string, args ...any) { l.log.Debug(line(format, args)) }

func line(format string, args []any) string {
	return "index: " + strings.TrimSpace(fmt.Sprintf(format, args...))
}
