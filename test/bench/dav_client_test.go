package bench

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// davfs2Asks is the body of davfs2's PROPFIND of a collection.
const davfs2Asks = `<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:"><prop><resourcetype/><getcontentlength/><getetag/>` +
	`<getlastmodified/><executable xmlns="http://apache.org/dav/props/"/></prop></propfind>`

// A davClient asks one server. Bodies are read into buffers of 256 KiB.
type davClient struct {
	testing.TB
	url  string
	http *http.Client
	pid  int
	stop func()
}

func newDAVClient(tb testing.TB, url string) *davClient {
	tb.Helper()
	return &davClient{TB: tb, url: url, http: &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: readers, DisableCompression: true, ReadBufferSize: 256 << 10,
	}}}
}

func (m *davClient) close() { m.http.CloseIdleConnections() }

// fetch makes a request and gives how many bytes came; count is called with them.
func (m *davClient) fetch(method, path, body string, header map[string]string, count func([]byte)) (int64, error) {
	req, err := http.NewRequest(method, m.url+path, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	res, err := m.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = res.Body.Close() }() // read to its end
	if res.StatusCode/100 != 2 {
		return 0, fmt.Errorf("%s %s: %s", method, path, res.Status)
	}
	buf, sum := make([]byte, 256<<10), int64(0)
	for {
		n, err := res.Body.Read(buf)
		sum += int64(n)
		count(buf[:n])
		if errors.Is(err, io.EOF) {
			return sum, nil
		}
		if err != nil {
			return sum, err
		}
	}
}

// get reads n bytes at off, which must be all that comes.
func (m *davClient) get(path string, off, n int64) {
	m.Helper()
	if err := m.tryGet(path, off, n); err != nil {
		m.Fatal(err)
	}
}

func (m *davClient) tryGet(path string, off, n int64) error {
	header := map[string]string{"Range": fmt.Sprintf("bytes=%d-%d", off, off+n-1)}
	if off == 0 {
		header = nil
	}
	got, err := m.fetch(http.MethodGet, path, "", header, func([]byte) {})
	if err == nil && got != n {
		err = fmt.Errorf("GET %s: %d bytes, want %d", path, got, n)
	}
	return err
}

// propfind lists the root, which has davBuilds entries and more; an empty body
// asks for all properties.
func (m *davClient) propfind(body string) {
	m.Helper()
	var text strings.Builder
	_, err := m.fetch("PROPFIND", "/", body, map[string]string{"Depth": "1", "Content-Type": "text/xml"}, func(p []byte) { text.Write(p) })
	if err != nil {
		m.Fatal(err)
	}
	if n := strings.Count(text.String(), "href>") / 2; n < davBuilds {
		m.Fatalf("PROPFIND tells of %d entries, want %d", n, davBuilds)
	}
}

// rate is how many MB/s a step moves.
func (m *davClient) rate(bytes int64, step func()) float64 {
	began := time.Now()
	step()
	return float64(bytes) / 1e6 / time.Since(began).Seconds()
}

// millis is how many milliseconds a step takes.
func (m *davClient) millis(step func()) float64 {
	began := time.Now()
	step()
	return float64(time.Since(began).Microseconds()) / 1000
}

// ranges reads 64 KiB in places of the file for a second, on eight connections.
func (m *davClient) ranges(path string) float64 {
	m.Helper()
	const size = 64 << 10
	var done atomic.Int64
	began := time.Now()
	err := inThreads(8, func() error {
		for time.Since(began) < randomFor {
			place := (done.Add(1)*7919)%(bigSize/size-1) + 1
			if err := m.tryGet(path, place*size, size); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		m.Fatal(err)
	}
	return float64(done.Load()) / time.Since(began).Seconds()
}

// crowd has all readers read the file at once.
func (m *davClient) crowd(path string) {
	m.Helper()
	if err := inThreads(readers, func() error { return m.tryGet(path, 0, smallSize) }); err != nil {
		m.Fatal(err)
	}
}
