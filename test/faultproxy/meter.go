package faultproxy

import (
	"io"
	"log"
	"net/http"
	"sync"
)

// Counts are what went through a proxy.
type Counts struct {
	Requests map[string]int // by method
	Sent     int64          // bytes of bodies that clients got
	Received int64          // bytes of bodies that clients sent
	Open     int            // requests under way
	Last     []string       // the first requests since [Proxy.Reset], method and URL, for messages
}

// Total is the number of requests.
func (c Counts) Total() int {
	n := 0
	for _, of := range c.Requests {
		n += of
	}
	return n
}

// keep is how many requests Counts lists.
const keep = 20

// A meter counts.
type meter struct {
	mu     sync.Mutex // guards the others
	counts Counts
	open   int // requests under way
}

// Counts gives what went through since the start or the last Reset. A request
// counts from its beginning, bytes as they go.
func (p *Proxy) Counts() Counts {
	p.meter.mu.Lock()
	defer p.meter.mu.Unlock()
	c := p.meter.counts
	c.Requests = map[string]int{}
	for method, n := range p.meter.counts.Requests {
		c.Requests[method] = n
	}
	c.Last = append([]string(nil), c.Last...)
	c.Open = p.meter.open
	return c
}

// Reset counts from 0 again.
func (p *Proxy) Reset() {
	p.meter.mu.Lock()
	defer p.meter.mu.Unlock()
	p.meter.counts = Counts{}
}

// begin counts a request and gives its writer, which counts as well.
func (m *meter) begin(w http.ResponseWriter, r *http.Request) *metered {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.counts.Requests == nil {
		m.counts.Requests = map[string]int{}
	}
	m.counts.Requests[r.Method]++
	m.open++
	if len(m.counts.Last) < keep {
		m.counts.Last = append(m.counts.Last, r.Method+" "+r.URL.RequestURI()+" "+r.Header.Get("Range"))
	}
	if r.Body != nil {
		r.Body = &upload{r.Body, m}
	}
	return &metered{w, m}
}

// end says that a request is answered.
func (m *meter) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.open--
}

// metered counts what is sent to the client.
type metered struct {
	http.ResponseWriter
	m *meter
}

func (w *metered) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	w.m.counts.Sent += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController flush.
func (w *metered) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// upload counts what the client sends.
type upload struct {
	io.ReadCloser
	m *meter
}

func (u *upload) Read(p []byte) (int, error) {
	n, err := u.ReadCloser.Read(p)
	u.m.mu.Lock()
	defer u.m.mu.Unlock()
	u.m.counts.Received += int64(n)
	return n, err
}

// buffers lend what bodies are copied with.
type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	if p, ok := b.pool.Get().(*[256 << 10]byte); ok {
		return p[:]
	}
	return make([]byte, 256<<10)
}

func (b *buffers) Put(p []byte) { b.pool.Put((*[256 << 10]byte)(p)) }

func discard() *log.Logger { return log.New(io.Discard, "", 0) }
