package remote

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	// stallTime is how long a body or an answer may make no progress.
	stallTime = time.Minute
	// piece is what has to get through in stallTime, in bytes. A whole image can't be
	// the measure; and net/http may be in one sendfile(2) for as long as it is given
	// more to send. So the slowest client that is served has 4 KiB/s.
	piece = 256 << 10
)

// A patient is an answer to a client that may be slow, but not for ever: it sets
// deadlines while something is moved, and takes them back afterwards, because an
// answer may have to wait long for what it says, and HTTP/2 ends a stream whose
// deadline passes while nothing is moved. It also counts. It is used by one
// goroutine, but for reads of the request's body.
type patient struct {
	http.ResponseWriter
	ctl    *http.ResponseController
	stall  time.Duration
	unread atomic.Bool // a body that is not read to its end, which net/http reads before it answers
	failed atomic.Bool // that body, as it did not come in time

	head   bool  // there is no body, whatever the handler writes
	status int   // of the answer, 0 before there is one
	bytes  int64 // of its body
}

var (
	_ io.ReaderFrom = (*patient)(nil)
	_ http.Flusher  = (*patient)(nil)
)

func newPatient(w http.ResponseWriter, r *http.Request, stall time.Duration) *patient {
	p := &patient{ResponseWriter: w, ctl: http.NewResponseController(w), stall: stall, head: r.Method == http.MethodHead}
	if r.Body != nil && r.Body != http.NoBody {
		p.unread.Store(true)
		r.Body = &patientBody{ReadCloser: r.Body, p: p}
	}
	return p
}

// Unwrap gives http.ResponseController what lies below.
func (p *patient) Unwrap() http.ResponseWriter { return p.ResponseWriter }

// hurry begins something that has to get on. Errors are those of writers without
// deadlines, which tests have.
func (p *patient) hurry() {
	now := time.Now()
	_ = p.ctl.SetWriteDeadline(now.Add(p.stall)) // see above
	switch {
	case p.failed.Load():
		_ = p.ctl.SetReadDeadline(now) // see above
	case p.unread.Load():
		_ = p.ctl.SetReadDeadline(now.Add(p.stall / 2)) // see above; the other half is for the answer
	}
}

// rest ends what hurry began.
func (p *patient) rest() {
	_ = p.ctl.SetWriteDeadline(time.Time{}) // as in hurry
	if p.unread.Load() {
		_ = p.ctl.SetReadDeadline(time.Time{}) // as in hurry
	}
}

// finish is called when the handler is done: what it left in buffers has to get
// out. net/http takes back the deadline with the next request.
func (p *patient) finish() {
	if p.status == 0 {
		p.status = http.StatusOK
	}
	if p.head {
		p.bytes = 0
	}
	p.hurry()
}

// WriteHeader begins the answer, or sends an interim one (1xx) at once.
func (p *patient) WriteHeader(status int) {
	if p.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		p.status = status
	}
	p.hurry()
	defer p.rest()
	p.ResponseWriter.WriteHeader(status)
}

// Write sends a part of the body.
func (p *patient) Write(b []byte) (n int, err error) {
	p.begin()
	for {
		part := b[n:min(len(b), n+piece)]
		p.hurry()
		m, err := p.ResponseWriter.Write(part)
		p.rest()
		n += m
		p.bytes += int64(m)
		if err != nil || n == len(b) {
			return n, err
		}
	}
}

// ReadFrom sends src, by sendfile(2) where net/http can.
func (p *patient) ReadFrom(src io.Reader) (n int64, err error) {
	to, ok := p.ResponseWriter.(io.ReaderFrom)
	if !ok {
		return io.Copy(struct{ io.Writer }{p}, src)
	}
	p.begin()
	// The kernel's way looks into one LimitedReader, not into two.
	whole, limited := src.(*io.LimitedReader)
	for {
		part := &io.LimitedReader{R: src, N: piece}
		if limited {
			part.R, part.N = whole.R, min(piece, whole.N)
		}
		want := part.N
		p.hurry()
		m, err := to.ReadFrom(part)
		p.rest()
		n += m
		p.bytes += m
		if limited {
			whole.N -= m
		}
		if err != nil || m < want || limited && whole.N <= 0 {
			return n, err
		}
	}
}

// begin notes that what comes is the body of a 200 if nothing else was said.
func (p *patient) begin() {
	if p.status == 0 {
		p.status = http.StatusOK
	}
}

// Flush sends what is in buffers.
func (p *patient) Flush() { _ = p.FlushError() } // Flusher has no way to tell

// FlushError is Flush with its error.
func (p *patient) FlushError() error {
	p.begin()
	p.hurry()
	defer p.rest()
	return p.ctl.Flush()
}

// patientBody is a request's body that has to get on.
type patientBody struct {
	io.ReadCloser
	p *patient
}

// Read waits for the next bytes, but not for ever. After the last of them there
// must be no deadline: net/http then listens whether the client goes away. Before
// them it may have to write a 100 Continue.
func (b *patientBody) Read(buf []byte) (int, error) {
	b.p.hurry()
	_ = b.p.ctl.SetReadDeadline(time.Now().Add(b.p.stall)) // as in hurry
	n, err := b.ReadCloser.Read(buf)
	b.p.rest()
	switch {
	case errors.Is(err, io.EOF):
		b.p.unread.Store(false)
	case err != nil:
		b.p.failed.Store(true)
	}
	return n, err
}

// Close drops the rest, for which net/http waits if it is short.
func (b *patientBody) Close() error {
	b.p.hurry()
	defer b.p.rest()
	return b.ReadCloser.Close()
}
