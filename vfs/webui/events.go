package webui

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"cosafs/materialize"
)

// Times of event streams.
const (
	keepAlive  = 15 * time.Second // between signs of life; proxies cut what is silent for a minute
	eventRetry = 2 * time.Second  // before a client that was cut off comes back
	slowClient = 30 * time.Second // what one event may take to be taken
)

// idEnd is the id of the last event. Who comes back with it has heard all.
const idEnd = "end"

// The data of events.
type (
	progressEvent struct {
		Phase    string               `json:"phase,omitempty"`
		Fraction float64              `json:"fraction"` // 0 to 1; negative = unknown
		State    materialize.JobState `json:"state"`
		Waiters  int                  `json:"waiters"`
	}
	logEvent struct {
		Text   string `json:"text"`   // UTF-8; other bytes come as U+FFFD
		Offset int64  `json:"offset"` // of the text in the log, in bytes
	}
	endEvent struct {
		State materialize.JobState `json:"state"`
		Error string               `json:"error,omitempty"`
		Class materialize.Class    `json:"class,omitempty"`
		Hint  string               `json:"hint,omitempty"`
	}
)

// events serves what a job tells as server-sent events (HTML standard, 9.2).
type events struct {
	service Service
	feeds   feeds
}

func newEvents(s Service) *events {
	return &events{service: s, feeds: feeds{service: s, open: map[string]*feed{}}}
}

// ServeHTTP tells of a job until it has ended or the client has gone.
func (e *events) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	last := r.Header.Get("Last-Event-ID")
	if last == idEnd {
		w.WriteHeader(http.StatusNoContent) // which tells a browser not to come back
		return
	}
	job, err := FindJob(r.Context(), e.service, r.PathValue("id"))
	if err != nil {
		writeError(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would gather events
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return
	}
	f := e.feeds.join(r.Context(), job)
	defer e.feeds.leave(f)
	c := &watcher{service: e.service, feed: f, out: newEventWriter(w)}
	if offset, err := strconv.ParseInt(last, 10, 64); err == nil && offset > 0 {
		c.sent = offset
	}
	_ = c.watch(r.Context()) // the client has gone, and there is nobody to tell
}

// A watcher is one client of a feed.
type watcher struct {
	service Service
	feed    *feed
	out     *eventWriter
	sent    int64  // how much of the log he has, in bytes
	half    []byte // the beginning of a character whose end has not come
	told    *progressEvent
}

// watch tells all that there is and all that comes, until the job's end, the
// ctx's or the client's.
func (c *watcher) watch(ctx context.Context) error {
	if err := c.out.begin(); err != nil {
		return err
	}
	alive := time.NewTicker(keepAlive)
	defer alive.Stop()
	for {
		v := c.feed.from(c.sent + int64(len(c.half)))
		if err := c.tell(ctx, v); err != nil || v.over {
			return err
		}
		if v.behind || len(v.log) > 0 {
			continue // there may be more
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-v.changed:
		case <-alive.C:
			if err := c.out.comment(); err != nil {
				return err
			}
		}
	}
}

// tell sends what is new in a view.
func (c *watcher) tell(ctx context.Context, v view) error {
	if err := c.tellProgress(v.job); err != nil {
		return err
	}
	if v.behind {
		return c.catchUp(ctx, v.start)
	}
	if _, err := c.Write(v.log); err != nil || !v.over {
		return err
	}
	if err := c.sendLog(c.half); err != nil {
		return err
	}
	return c.out.send("end", idEnd, endEvent{State: v.job.State, Error: v.job.Error, Class: v.job.Class, Hint: v.job.Hint})
}

func (c *watcher) tellProgress(j materialize.JobInfo) error {
	p := progressEvent{Phase: j.Phase, Fraction: j.Fraction, State: j.State, Waiters: j.Waiters}
	if c.told != nil && *c.told == p {
		return nil
	}
	c.told = &p
	return c.out.send("progress", "", p)
}

// catchUp reads the log from the place where the client is. What can't be read any
// more is left out, up to start.
func (c *watcher) catchUp(ctx context.Context, start int64) error {
	at := c.sent + int64(len(c.half))
	err := c.service.Log(ctx, c.feed.id, false, &skipper{skip: at, to: c})
	if c.out.err != nil {
		return c.out.err
	}
	if c.sent+int64(len(c.half)) == at { // no way on
		c.sent, c.half = start, nil
		return ctx.Err()
	}
	if ctx.Err() != nil {
		return err
	}
	return nil
}

// Write sends a piece of log, but for the half of a character at its end.
func (c *watcher) Write(p []byte) (int, error) {
	text := append(c.half, p...)
	whole := len(text) - halfRune(text)
	if err := c.sendLog(text[:whole]); err != nil {
		return 0, err
	}
	c.half = append([]byte(nil), text[whole:]...)
	return len(p), nil
}
