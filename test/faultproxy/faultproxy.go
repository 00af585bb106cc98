// Package faultproxy stands between a client and a store and does what servers
// and networks do wrong, as a plan says: [Proxy] on the level of HTTP, [Wire] and
// [Toxics] on that of TCP. A Proxy counts requests and bytes, too.
package faultproxy

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
	"time"
)

// A Proxy hands requests on as they are, the header Host included, so that
// signatures stay valid. It is safe for concurrent use.
type Proxy struct {
	URL string // of the proxy

	forward http.Handler
	meter   meter

	mu   sync.Mutex // guards plan
	plan []*Rule
}

// A Rule says which requests a fault happens to.
type Rule struct {
	Match func(*http.Request) bool // nil = every request
	Skip  int                      // so many that match are left alone first
	Times int                      // then it happens so often; 0 = for ever
	Fault Fault

	seen int
}

// A Fault changes how requests are answered.
type Fault func(next http.Handler) http.Handler

// Start starts a proxy before the server at target, a URL. It ends with the test.
func Start(tb testing.TB, target string) *Proxy {
	tb.Helper()
	to, err := url.Parse(target)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 256, ExpectContinueTimeout: time.Second}
	p := &Proxy{forward: &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(to); r.Out.Host = r.In.Host },
		Transport:     transport,
		FlushInterval: -1, // what has come is handed on
		BufferPool:    &buffers{},
		ErrorHandler:  func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }, // as the server did
	}}
	s := httptest.NewUnstartedServer(p)
	s.Config.ErrorLog = discard() // aborted requests are what the proxy is for
	s.Config.BaseContext = func(net.Listener) context.Context { return ctx }
	s.Start()
	p.URL = s.URL
	tb.Cleanup(func() { cancel(); s.CloseClientConnections(); s.Close(); transport.CloseIdleConnections() })
	return p
}

// Plan replaces what goes wrong from now on; without rules, nothing does. A
// request suffers from all rules that match it.
func (p *Proxy) Plan(rules ...Rule) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.plan = nil
	for _, r := range rules {
		p.plan = append(p.plan, &r)
	}
}

// ServeHTTP answers a request as planned.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := p.forward
	for _, fault := range p.faults(r) {
		h = fault(h)
	}
	counted := p.meter.begin(w, r)
	defer p.meter.end()
	h.ServeHTTP(counted, r)
}

// faults gives what happens to a request.
func (p *Proxy) faults(r *http.Request) []Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []Fault
	for _, rule := range p.plan {
		if rule.happens(r) {
			all = append(all, rule.Fault)
		}
	}
	return all
}

// happens counts the request, if it is one for the rule.
func (r *Rule) happens(req *http.Request) bool {
	if r.Match != nil && !r.Match(req) {
		return false
	}
	r.seen++
	return r.seen > r.Skip && (r.Times == 0 || r.seen <= r.Skip+r.Times)
}
