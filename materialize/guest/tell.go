package guest

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"sync"
	"time"

	"cosafs/materialize/appliance"
)

// A teller sends events to the host, one at a time.
type teller struct {
	mu  sync.Mutex
	out *json.Encoder // guarded by mu
}

func (t *teller) send(e appliance.Event) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.out.Encode(e)
}

// beat tells the host at each interval that work goes on, if it does: a step
// that neither computes nor reads or writes a disk is a step that hangs.
func (t *teller) beat(ctx context.Context, interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	last := activity()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := activity()
		if !bytes.Equal(now, last) && t.send(appliance.Event{Alive: true}) != nil {
			return // the host has gone
		}
		last = now
	}
}

// activity is what the kernel counts of disk transfers.
func activity() []byte {
	b, err := os.ReadFile("/proc/diskstats")
	if err != nil {
		return nil
	}
	return b
}

// A lineWriter sends each line that is written to it, and keeps the last one
// that says something.
type lineWriter struct {
	tell *teller
	part []byte
	last string
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.part = append(w.part, p...)
	for {
		line, rest, found := bytes.Cut(w.part, []byte("\n"))
		if !found {
			return len(p), nil
		}
		w.part = rest
		if err := w.line(line); err != nil {
			return 0, err
		}
	}
}

// flush sends what has no newline.
func (w *lineWriter) flush() error {
	line := w.part
	w.part = nil
	return w.line(line)
}

func (w *lineWriter) line(line []byte) error {
	// Progress bars overwrite their line: only how it ends is of interest.
	line = bytes.TrimRight(line, "\r \t")
	line = line[bytes.LastIndexByte(line, '\r')+1:]
	if len(line) == 0 {
		return nil
	}
	w.last = string(line)
	return w.tell.send(appliance.Event{Log: w.last})
}
