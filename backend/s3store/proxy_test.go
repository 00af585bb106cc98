package s3store_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"cosafs/test/s3server"
)

// A proxy stands before a server, sees all requests and spoils some.
type proxy struct {
	*httptest.Server
	// change is told of each request before it is passed on. It may change it (it is
	// signed anew then), or answer it itself and return false. nil passes all.
	change func(http.ResponseWriter, *http.Request) bool
	// lose says for which requests the answer is thrown away and the connection cut.
	lose func(*http.Request) bool

	mu    sync.Mutex // guards what follows
	seen  []seen
	conns int
}

// A seen is what is remembered of a request.
type seen struct {
	method, path string
	query        url.Values
	header       http.Header
}

// newProxy starts a proxy before a server; start says how, with TLS or without.
// change and lose may be set until the first request.
func newProxy(t *testing.T, endpoint string, start func(*httptest.Server)) *proxy {
	t.Helper()
	target, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{}
	forward := &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = r.In.Host },
		ModifyResponse: p.modify,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			panic(http.ErrAbortHandler) // cuts the connection
		},
	}
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.note(r)
		if p.change == nil || p.change(w, r) {
			forward.ServeHTTP(w, r)
		}
	}))
	p.Config.ConnState = func(_ net.Conn, state http.ConnState) { p.count(state) }
	start(p.Server)
	t.Cleanup(p.Close)
	return p
}

func (p *proxy) note(r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = append(p.seen, seen{r.Method, r.URL.Path, r.URL.Query(), r.Header.Clone()})
}

func (p *proxy) count(state http.ConnState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if state == http.StateNew {
		p.conns++
	}
}

func (p *proxy) modify(res *http.Response) error {
	if p.lose == nil || !p.lose(res.Request) {
		return nil
	}
	_, _ = io.Copy(io.Discard, res.Body) // the server is done when all has come
	return http.ErrAbortHandler
}

// forget forgets the requests so far.
func (p *proxy) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = nil
}

// requests gives those so far that are of a kind.
func (p *proxy) requests(kind func(seen) bool) []seen {
	p.mu.Lock()
	defer p.mu.Unlock()
	var found []seen
	for _, s := range p.seen {
		if kind(s) {
			found = append(found, s)
		}
	}
	return found
}

// Kinds of requests.
func isPart(s seen) bool     { return s.method == http.MethodPut && s.query.Has("partNumber") }
func isCreate(s seen) bool   { return s.method == http.MethodPost && s.query.Has("uploads") }
func isComplete(s seen) bool { return s.method == http.MethodPost && s.query.Has("uploadId") }
func isAbort(s seen) bool    { return s.method == http.MethodDelete && s.query.Has("uploadId") }
func isPut(s seen) bool      { return s.method == http.MethodPut && !s.query.Has("partNumber") }

func of(r *http.Request) seen { return seen{method: r.Method, path: r.URL.Path, query: r.URL.Query()} }

// sign signs a request that was changed.
func sign(t *testing.T, r *http.Request) {
	t.Helper()
	creds, err := credentials.NewStaticCredentialsProvider(s3server.Access, s3server.Secret, "").Retrieve(r.Context())
	if err != nil {
		t.Error(err)
	}
	out := r.Clone(r.Context())
	out.URL.Host = r.Host
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	if err := signer.SignHTTP(r.Context(), creds, out, r.Header.Get("X-Amz-Content-Sha256"), "s3", s3server.Region, time.Now()); err != nil {
		t.Error(err)
	}
	r.Header = out.Header
}

// ignore drops conditions from requests of a kind, as a store that does not know
// them would.
func ignore(t *testing.T, kind func(seen) bool) func(http.ResponseWriter, *http.Request) bool {
	t.Helper()
	return func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet && r.Method != http.MethodHead && kind(of(r)) {
			r.Header.Del("If-Match")
			r.Header.Del("If-None-Match")
			sign(t, r)
		}
		return true
	}
}

// refuse answers requests of a kind with a status and a code.
func refuse(kind func(seen) bool, status int, code string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !kind(of(r)) {
			return true
		}
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		if r.Method != http.MethodHead && code != "" {
			_, _ = io.WriteString(w, "<Error><Code>"+code+"</Code><Message>planned</Message></Error>")
		}
		return false
	}
}

func anything(seen) bool { return true }
