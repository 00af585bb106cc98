package compose

import (
	"io"

	"cosafs/materialize"
)

// teeLog writes to the task's log, if it has one, and to w.
func teeLog(t *materialize.Task, w io.Writer) io.Writer {
	if t.Log == nil {
		return w
	}
	return io.MultiWriter(t.Log, w)
}
