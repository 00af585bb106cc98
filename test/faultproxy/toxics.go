package faultproxy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"sync"
	"testing"

	"cosafs/test/s3server"
)

// Toxics is Shopify's toxiproxy before a server: it delays, slices, slows and cuts
// TCP connections.
type Toxics struct {
	Addr string // of the proxy, host:port
	api  string // URL of its orders
}

// A Toxic is one way to damage connections, in toxiproxy's words: "latency"
// (latency, jitter in ms), "bandwidth" (rate in KB/s), "slicer" (average_size,
// size_variation in bytes, delay in µs), "limit_data" (bytes), "reset_peer" (timeout in
// ms), "timeout" (timeout in ms, 0 = never), "slow_close" (delay in ms).
type Toxic struct {
	Name       string         `json:"name"`
	Type       string         `json:"type"`
	Stream     string         `json:"stream,omitempty"`   // upstream, or downstream, which is the default
	Toxicity   float32        `json:"toxicity,omitempty"` // share of connections; 0 = all
	Attributes map[string]int `json:"attributes,omitempty"`
}

// StartToxics starts toxiproxy before the server at addr. It ends with the test.
func StartToxics(tb testing.TB, addr string) *Toxics {
	tb.Helper()
	exe, err := toxiproxy()
	if err != nil {
		tb.Fatal(err)
	}
	api := s3server.FreeAddr(tb)
	s3server.Run(tb, api, exec.Command(exe, "-api", api))
	t := &Toxics{Addr: s3server.FreeAddr(tb), api: "http://" + api}
	t.order(tb, http.MethodPost, "/proxies", map[string]any{"name": "store", "listen": t.Addr, "upstream": addr, "enabled": true})
	return t
}

// toxiproxy is a module of its own in test/toxiproxy; it is built once a process.
var toxiproxy = sync.OnceValues(func() (string, error) {
	return s3server.BuildModule(context.Background(), "toxiproxy")
})

// Plan replaces what goes wrong from now on, on open connections as well; without
// toxics, nothing does.
func (t *Toxics) Plan(tb testing.TB, toxics ...Toxic) {
	tb.Helper()
	t.order(tb, http.MethodPost, "/reset", nil)
	for i, x := range toxics {
		x.Name = fmt.Sprintf("toxic%d", i)
		t.order(tb, http.MethodPost, "/proxies/store/toxics", x)
	}
}

// Down cuts all connections and refuses new ones, until Up.
func (t *Toxics) Down(tb testing.TB) { tb.Helper(); t.enable(tb, false) }

// Up lets connections through again.
func (t *Toxics) Up(tb testing.TB) { tb.Helper(); t.enable(tb, true) }

func (t *Toxics) enable(tb testing.TB, on bool) {
	tb.Helper()
	t.order(tb, http.MethodPost, "/proxies/store", map[string]any{"enabled": on})
}

// order sends a command to toxiproxy.
func (t *Toxics) order(tb testing.TB, method, path string, body any) {
	tb.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		tb.Fatal(err)
	}
	req, err := http.NewRequestWithContext(context.WithoutCancel(tb.Context()), method, t.api+path, bytes.NewReader(data))
	if err != nil {
		tb.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		tb.Fatalf("toxiproxy: %v", err)
	}
	said, err := io.ReadAll(res.Body)
	_ = res.Body.Close() // read
	if err != nil || res.StatusCode >= http.StatusBadRequest {
		tb.Fatalf("toxiproxy: %s %s: %s, %v: %s", method, path, res.Status, err, said)
	}
}
