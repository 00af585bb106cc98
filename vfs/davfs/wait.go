package davfs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"cosafs/vfs"
	"cosafs/vfs/internal/prefer"
)

// grace is how long a browser waits, and even who asks not to: what is only fetched
// is there by then, and a job has begun.
const grace = time.Second

// errAnswered ends an open whose client has got another answer. The job goes on:
// the request's linger lets him come back to it.
var errAnswered = errors.New("the client was told to come again")

// A patience is what a client is told while it waits, since each has timeouts of
// its own.
type patience struct {
	limit time.Duration // then it is told to come again
	// beat is called every now and then until limit; nil is silence.
	beat  func()
	every time.Duration
	// end answers at the limit; nil is 503 with Retry-After.
	end func()
}

// patience chooses it. What is sent to whom was measured with the clients: an
// interim answer keeps those of the list waiting, and others take it for the
// answer itself; apt follows redirects as long as each leads elsewhere.
func (d *Door) patience(w http.ResponseWriter, r *http.Request, path string) patience {
	p := patience{limit: d.cfg.Wait, every: d.cfg.Interim}
	if takesInterim(r.UserAgent()) && r.ProtoAtLeast(1, 1) {
		p.beat = func() { w.WriteHeader(http.StatusProcessing) }
	}
	wait, wants := preferred(r)
	switch {
	case wants:
		p.limit = min(p.limit, max(wait, grace))
	case isBrowser(r) && d.cfg.Pages != nil:
		p.limit, p.end = min(p.limit, grace), func() { d.cfg.Pages.Waiting(w, r, path) }
	case redirects(r.UserAgent()):
		p.limit = min(p.limit, p.every)
		if n := led(r); n < int(d.cfg.Wait/d.cfg.Interim) {
			p.end = func() { redirect(w, r, n+1) }
		}
	}
	return p
}

// preferred reads how long a client wants to wait: RFC 7240's wait and
// respond-async, of which wait says more, or ?wait=SECONDS.
func preferred(r *http.Request) (wait time.Duration, wants bool) {
	said := prefer.Of(r.Header)
	text := cmp.Or(said.Wait, r.URL.Query().Get("wait"))
	if seconds, err := strconv.ParseUint(text, 10, 16); err == nil {
		return time.Duration(seconds) * time.Second, true
	}
	return 0, said.Async
}

// takesInterim lists the clients that were seen to take 102 Processing for what it
// is: curl, aria2, Node's fetch, and those built on neon (davfs2, cadaver) and gvfs.
func takesInterim(agent string) bool {
	if strings.Contains(agent, "neon/") || agent == "node" {
		return true
	}
	for _, known := range []string{"curl/", "gvfs/", "aria2/", "undici"} {
		if strings.HasPrefix(agent, known) {
			return true
		}
	}
	return false
}

// redirects lists the clients that give up silence after half a minute and take
// every interim answer for an error: apt, and those with a lowest speed.
func redirects(agent string) bool {
	for _, known := range []string{"Debian APT", "APT-HTTP", "apt/", "libdnf", "librepo"} {
		if strings.Contains(agent, known) {
			return true
		}
	}
	return false
}

// led is how often the client was led on already.
func led(r *http.Request) int {
	n, err := strconv.ParseUint(r.URL.Query().Get("w"), 10, 16)
	if err != nil {
		return 0
	}
	return int(n) //nolint:gosec // G115: 16 bits
}

// redirect leads to the same file by another address: one that leads to itself is
// taken for a loop.
func redirect(w http.ResponseWriter, r *http.Request, n int) {
	query := r.URL.Query()
	query.Set("w", strconv.Itoa(n))
	to := url.URL{Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: query.Encode()}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to.String(), http.StatusTemporaryRedirect)
}

// opened is what came of an open.
type opened struct {
	blob vfs.Blob
	err  error
}

// await opens the file, and keeps the client waiting for it. nil and no error: the
// client was told to come again.
func (d *Door) await(w http.ResponseWriter, r *http.Request, path string, f vfs.File) (vfs.Blob, error) {
	d.waiting.Add(1)
	defer d.waiting.Add(-1)
	ctx, leave := context.WithCancelCause(r.Context())
	defer leave(nil)
	done := make(chan opened, 1)
	go func() {
		b, err := f.Open(ctx)
		done <- opened{b, err}
	}()
	p := d.patience(w, r, path)
	got, over := p.watch(done)
	if !over {
		return got.blob, got.err
	}
	leave(errAnswered)
	if got := <-done; got.err == nil { // it came at this very moment; the next GET finds it
		_ = got.blob.Close() // nothing was read
	}
	if p.end == nil {
		return nil, fmt.Errorf("%s is being made: %w", path, context.DeadlineExceeded)
	}
	p.end()
	return nil, nil
}

// watch waits until the open is done, or until the client's patience is over.
func (p patience) watch(done <-chan opened) (got opened, over bool) {
	limit, beat := time.NewTimer(p.limit), time.NewTicker(p.every)
	defer limit.Stop()
	defer beat.Stop()
	for {
		select {
		case got := <-done:
			return got, false
		case <-limit.C:
			return opened{}, true
		case <-beat.C:
			if p.beat != nil {
				p.beat()
			}
		}
	}
}
