package webstore_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"cosafs/backend/webstore"
)

// A proxy is taken from the environment, for http and for https. The environment is
// looked at once a process, so a child reads through it.
func TestProxy(t *testing.T) {
	if host := os.Getenv("WEBSTORE_CHILD"); host != "" {
		readThroughProxy(t)
		return
	}
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { file(w, r) }))
	t.Cleanup(secure.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	writePEM(t, ca, "CERTIFICATE", secure.Certificate().Raw)
	p := &proxy{target: secure.Listener.Addr().String()}
	srv := httptest.NewServer(p)
	t.Cleanup(srv.Close)

	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProxy$")
	cmd.Env = append(os.Environ(), "WEBSTORE_CHILD=1", "WEBSTORE_CA="+ca, "NO_PROXY=", "no_proxy=",
		"HTTP_PROXY="+srv.URL, "http_proxy="+srv.URL, "HTTPS_PROXY="+srv.URL, "https_proxy="+srv.URL)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("the child: %v\n%s", err, out)
	}
	if want := []string{"GET http://builds.invalid/builds/a", "CONNECT example.com:443"}; !slices.Equal(p.seen, want) {
		t.Errorf("the proxy was asked for %q; want %q", p.seen, want)
	}
}

// readThroughProxy reads from servers that only the proxy can reach.
func readThroughProxy(t *testing.T) {
	t.Helper()
	for _, url := range []string{"http://builds.invalid/builds", "https://example.com/builds"} {
		s := open(t, webstore.Config{URL: url, CAFile: os.Getenv("WEBSTORE_CA")})
		if got, err := read(t, s, "a", whole, ""); err != nil || got != "0123456789" {
			t.Errorf("%s: read %q, %v", s, got, err)
		}
	}
}

// A proxy answers for all servers by http, and leads to one by https.
type proxy struct {
	target string

	mu   sync.Mutex // guards seen
	seen []string
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.seen = append(p.seen, strings.TrimSuffix(r.Method+" "+r.RequestURI, "/"))
	p.mu.Unlock()
	if r.Method != http.MethodConnect {
		file(w, r)
		return
	}
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = server.Close()
		return
	}
	go func() { // buffered may hold what the client sent already
		_, _ = io.Copy(server, buffered) // ends with the connection
		_ = server.Close()
	}()
	_, _ = io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n")
	_, _ = io.Copy(client, server) // ends with the connection
	_ = client.Close()
}
