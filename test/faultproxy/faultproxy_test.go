package faultproxy_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cosafs/test/faultproxy"
)

// content is what the server has.
var content = bytes.Repeat([]byte("0123456789abcdef"), 64<<10) // 1 MiB

// server serves content with ranges and an ETag, and counts what it handled.
func server(t *testing.T) (url string, handled *atomic.Int64) {
	t.Helper()
	handled = new(atomic.Int64)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handled.Add(1)
		w.Header().Set("ETag", `"real"`)
		w.Header().Set("X-Host", r.Host)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	}))
	t.Cleanup(s.Close)
	return s.URL, handled
}

// A reply is what a client saw of an answer; its body may be a part.
type reply struct {
	code   int
	header http.Header
	length int64
	body   []byte
}

// get reads a range, "" for all.
func get(t *testing.T, url, span string) (reply, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if span != "" {
		req.Header.Set("Range", span)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Second}
	res, err := client.Do(req)
	if err != nil {
		return reply{}, err
	}
	body, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header, res.ContentLength, body}, errors.Join(err, res.Body.Close())
}

// Without a plan the proxy is not to be noticed, and it counts.
func TestNoFault(t *testing.T) {
	url, _ := server(t)
	p := faultproxy.Start(t, url)
	got, err := get(t, p.URL+"/a", "bytes=100-199")
	if err != nil || got.code != http.StatusPartialContent || !bytes.Equal(got.body, content[100:200]) {
		t.Errorf("a range: status %d, %d bytes, %v", got.code, len(got.body), err)
	}
	if host := got.header.Get("X-Host"); "http://"+host != p.URL {
		t.Errorf("the server was asked for host %s; signatures hold %s", host, p.URL)
	}
	c := p.Counts()
	if c.Total() != 1 || c.Requests["GET"] != 1 || c.Sent != 100 || len(c.Last) != 1 || !strings.Contains(c.Last[0], "/a bytes=100-199") {
		t.Errorf("counts %+v; want one GET of 100 bytes", c)
	}
	p.Reset()
	if c := p.Counts(); c.Total() != 0 || c.Sent != 0 {
		t.Errorf("counts after Reset: %+v", c)
	}
	res, err := http.Post(p.URL, "text/plain", strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		t.Error(err)
	}
	if c := p.Counts(); c.Received != 5 || c.Requests["POST"] != 1 {
		t.Errorf("counts %+v; want a POST of 5 bytes", c)
	}
}

// Every fault is what its name says, and is over when the plan says so.
func TestFaults(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault faultproxy.Fault
		shows func(r reply, err error) bool
	}{
		{"status", faultproxy.Status(503), func(r reply, err error) bool {
			return err == nil && r.code == 503 && bytes.Contains(r.body, []byte("SlowDown"))
		}},
		{"hang", faultproxy.Hang(), func(_ reply, err error) bool { return err != nil }},
		{"lost", faultproxy.Lost(), func(_ reply, err error) bool { return errors.Is(err, io.EOF) }},
		{"etag", faultproxy.ETag("other"), func(r reply, err error) bool {
			return err == nil && r.header.Get("ETag") == `"other"` && bytes.Equal(r.body, content)
		}},
		{"cut", faultproxy.Cut(1000), func(r reply, err error) bool {
			return errors.Is(err, io.ErrUnexpectedEOF) && r.length == int64(len(content)) && bytes.Equal(r.body, content[:1000])
		}},
		{"cut at once", faultproxy.Cut(0), func(r reply, err error) bool { return err != nil && len(r.body) == 0 }},
		{"short", faultproxy.Short(1000), func(r reply, err error) bool {
			return err == nil && r.length == 1000 && bytes.Equal(r.body, content[:1000])
		}},
		{"corrupt", faultproxy.Corrupt(500_000), func(r reply, err error) bool {
			return err == nil && len(r.body) == len(content) && bytes.Equal(r.body[:500_000], content[:500_000]) &&
				r.body[500_000] != content[500_000] && bytes.Equal(r.body[500_001:], content[500_001:])
		}},
		{"stall", faultproxy.Stall(1000), func(r reply, err error) bool { return err != nil && len(r.body) == 1000 }},
		{"drip", faultproxy.Drip(100, time.Hour), func(r reply, err error) bool { return err != nil && len(r.body) == 100 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			url, _ := server(t)
			p := faultproxy.Start(t, url)
			p.Plan(faultproxy.Rule{Match: faultproxy.Gets("/bad"), Skip: 1, Times: 1, Fault: c.fault})
			for i, want := range []bool{false, true, false} {
				r, err := get(t, p.URL+"/bad", "")
				if !want && (err != nil || !bytes.Equal(r.body, content)) {
					t.Errorf("request %d, which is to be left alone: %d bytes, %v", i, len(r.body), err)
				}
				if want && !c.shows(r, err) {
					t.Errorf("the fault: status %d, %d bytes, %v", r.code, len(r.body), err)
				}
				if r, err := get(t, p.URL+"/good", ""); err != nil || !bytes.Equal(r.body, content) {
					t.Errorf("another object: %d bytes, %v", len(r.body), err)
				}
			}
		})
	}
}

// What is lost was handled; what hangs or is refused was not.
func TestFaultsHandled(t *testing.T) {
	for name, c := range map[string]struct {
		fault faultproxy.Fault
		want  int64
	}{"lost": {faultproxy.Lost(), 1}, "status": {faultproxy.Status(500), 0}} {
		url, handled := server(t)
		p := faultproxy.Start(t, url)
		p.Plan(faultproxy.Rule{Fault: c.fault})
		_, _ = get(t, p.URL, "") // fails or not
		if handled.Load() != c.want {
			t.Errorf("%s: the server handled %d requests; want %d", name, handled.Load(), c.want)
		}
	}
}

// Faults that take time take that time.
func TestSlow(t *testing.T) {
	url, _ := server(t)
	p := faultproxy.Start(t, url)
	wire := "http://" + faultproxy.Wire{Delay: 100 * time.Millisecond}.Start(t, strings.TrimPrefix(url, "http://"))
	paced := "http://" + faultproxy.Wire{Rate: 4 << 20}.Start(t, strings.TrimPrefix(url, "http://"))
	for _, c := range []struct {
		name, url string
		fault     faultproxy.Fault
		atLeast   time.Duration
	}{
		{"latency", p.URL, faultproxy.Latency(100 * time.Millisecond), 100 * time.Millisecond},
		{"bandwidth", p.URL, faultproxy.Bandwidth(4 << 20), 200 * time.Millisecond},
		{"wire", wire, nil, 100 * time.Millisecond},
		{"paced wire", paced, nil, 100 * time.Millisecond}, // the kernel lets the first bytes go at once
	} {
		if c.fault != nil {
			p.Plan(faultproxy.Rule{Fault: c.fault})
		}
		began := time.Now()
		r, err := get(t, c.url, "")
		if took := time.Since(began); err != nil || !bytes.Equal(r.body, content) || took < c.atLeast {
			t.Errorf("%s: %d bytes, %v, in %v; want all in %v or more", c.name, len(r.body), err, took, c.atLeast)
		}
	}
}

// toxiproxy does what it is asked to, and stops doing so.
func TestToxics(t *testing.T) {
	if testing.Short() {
		t.Skip("short: this builds a program")
	}
	url, _ := server(t)
	x := faultproxy.StartToxics(t, strings.TrimPrefix(url, "http://"))
	good := func() bool {
		r, err := get(t, "http://"+x.Addr, "")
		return err == nil && bytes.Equal(r.body, content)
	}
	if !good() {
		t.Fatal("nothing is wrong yet, and it does not work")
	}
	x.Plan(t, faultproxy.Toxic{Type: "limit_data", Attributes: map[string]int{"bytes": 10_000}})
	if r, err := get(t, "http://"+x.Addr, ""); err == nil || len(r.body) > 10_000 {
		t.Errorf("limited to 10,000 bytes: %d, %v", len(r.body), err)
	}
	x.Plan(t, faultproxy.Toxic{Type: "reset_peer"})
	if good() {
		t.Error("reset connections work")
	}
	x.Plan(t)
	x.Down(t)
	if good() {
		t.Error("refused connections work")
	}
	x.Up(t)
	if !good() {
		t.Error("nothing is wrong any more, and it does not work")
	}
}
