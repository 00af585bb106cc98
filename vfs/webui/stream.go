package webui

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"

	"cosafs/materialize"
)

// A frame is one line of a stream (application/x-ndjson). Events and pieces of
// log come as they happen; the last frame is the result or the error. A stream
// that ends without one was cut off.
type frame struct {
	Event   *materialize.Event `json:"event,omitempty"`
	Log     []byte             `json:"log,omitempty"`     // base64 in JSON: logs need not be UTF-8
	Serving *ServeInfo         `json:"serving,omitempty"` // a door is open
	Result  json.RawMessage    `json:"result,omitempty"`
	Error   *wireError         `json:"error,omitempty"`
}

// A streamer writes frames. The header goes out with the first one, so that an
// error before it still has a status of its own.
type streamer struct {
	w http.ResponseWriter

	mu      sync.Mutex // guards the fields below and the order of writes
	started bool
	err     error // of the first write that failed: the client is gone
}

// send writes one frame and flushes it.
func (s *streamer) send(f frame) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	if !s.started {
		s.started = true
		s.w.Header().Set("Content-Type", "application/x-ndjson")
		s.w.Header().Set("Cache-Control", "no-store")
		s.w.WriteHeader(http.StatusOK)
	}
	if s.err = json.NewEncoder(s.w).Encode(f); s.err == nil {
		s.err = http.NewResponseController(s.w).Flush()
	}
	return s.err
}

// tell sends an event. A client that is gone ends the request's ctx, which is
// how the work learns of it; so the error needs no other way.
func (s *streamer) tell(e materialize.Event) { _ = s.send(frame{Event: &e}) }

// serving sends where a door is open; an error is as in tell.
func (s *streamer) serving(info ServeInfo) { _ = s.send(frame{Serving: &info}) }

// Write sends a piece of log.
func (s *streamer) Write(p []byte) (int, error) {
	if err := s.send(frame{Log: p}); err != nil {
		return 0, err
	}
	return len(p), nil
}

// finish ends the stream with the result or the error.
func (s *streamer) finish(result any, err error) {
	if err != nil {
		s.fail(err)
		return
	}
	body, err := json.Marshal(result)
	if err != nil {
		s.fail(err)
		return
	}
	_ = s.send(frame{Result: body}) // a client that is gone wants no result
}

// fail ends the stream with err.
func (s *streamer) fail(err error) {
	s.mu.Lock()
	started := s.started
	s.mu.Unlock()
	if !started {
		writeError(s.w, err)
		return
	}
	body, _ := encodeError(err)
	_ = s.send(frame{Error: &body}) // as in finish
}

// A listener hears what a stream says before its end. What is nil is not listened
// to.
type listener struct {
	tell    func(materialize.Event)
	log     io.Writer
	serving func(ServeInfo)
}

// hear takes one frame that is not the last.
func (l listener) hear(f frame) error {
	switch {
	case f.Event != nil && l.tell != nil:
		l.tell(*f.Event)
	case f.Serving != nil && l.serving != nil:
		l.serving(*f.Serving)
	case f.Log != nil && l.log != nil:
		if _, err := l.log.Write(f.Log); err != nil {
			return fmt.Errorf("copy log: %w", err)
		}
	}
	return nil
}

// readStream hands out what r says until the result, which goes into result.
func readStream(r io.Reader, l listener, result any) error {
	dec := json.NewDecoder(r)
	for {
		var f frame
		if err := dec.Decode(&f); err != nil {
			return cutOff(err)
		}
		switch {
		case f.Error != nil:
			return f.Error.decode()
		case f.Result != nil:
			return json.Unmarshal(f.Result, result)
		}
		if err := l.hear(f); err != nil {
			return err
		}
	}
}

// cutOff says what the end of a stream before its last frame means.
func cutOff(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("the daemon went away: %w", err)
}
