package bench

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cosafs/test/s3server"
)

// A source gives bytes at any place.
type source interface {
	io.ReaderAt
	io.Closer
}

// fileReader reads files below a directory.
func fileReader(tb testing.TB, dir string) *peerMount {
	tb.Helper()
	open := func(key string) (source, error) { return os.Open(filepath.Join(dir, key)) }
	return &peerMount{TB: tb, open: open, all: func(key string) error {
		f, err := os.Open(filepath.Join(dir, key))
		if err != nil {
			return err
		}
		n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{f}, make([]byte, 1<<20))
		if err == nil && n != objectSize {
			err = io.ErrUnexpectedEOF
		}
		return errors.Join(err, f.Close())
	}}
}

// rawPeer reads by GETs of ranges: what no client can beat by much.
func rawPeer(b *testing.B, _ *objects, addr string) *peerMount {
	b.Helper()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: inParallel, DisableCompression: true}}
	open := func(key string) (source, error) {
		return &object{client, "http://" + addr + "/" + s3server.Public + "/builds" + key}, nil
	}
	all := func(key string) error {
		o, err := open(key)
		if err != nil {
			return err
		}
		var next atomic.Int64
		return inThreads(inParallel, func() error {
			buf := make([]byte, partSize)
			for {
				at := next.Add(partSize) - partSize
				if at >= objectSize {
					return nil
				}
				if _, err := o.ReadAt(buf, at); err != nil {
					return err
				}
			}
		})
	}
	return &peerMount{TB: b, open: open, all: all, stop: client.CloseIdleConnections}
}

// An object is read by one GET a call.
type object struct {
	client *http.Client
	url    string
}

func (o *object) ReadAt(p []byte, off int64) (int, error) {
	req, err := http.NewRequest(http.MethodGet, o.url, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", off, off+int64(len(p))-1))
	res, err := o.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = res.Body.Close() }() // read to its end, or no more use
	if res.StatusCode != http.StatusPartialContent {
		return 0, fmt.Errorf("GET %s: %s", o.url, res.Status)
	}
	return io.ReadFull(res.Body, p)
}

func (o *object) Close() error { return nil }

// firstByte is how long the first block of an object takes, its open included.
func (m *peerMount) firstByte(key string) time.Duration {
	m.Helper()
	began := time.Now()
	m.read(key, func(s source) error {
		_, err := s.ReadAt(make([]byte, 4096), 0)
		return err
	})
	return time.Since(began)
}

// whole reads an object and gives MB/s.
func (m *peerMount) whole(key string) float64 {
	m.Helper()
	began := time.Now()
	if err := m.all(key); err != nil {
		m.Fatal(err)
	}
	return objectSize / 1e6 / time.Since(began).Seconds()
}

// random reads blocks in places of their own, and gives how many a second.
func (m *peerMount) random(key string, size int64, threads int) float64 {
	m.Helper()
	var done atomic.Int64
	began := time.Now()
	m.read(key, func(s source) error {
		var seed atomic.Uint64
		return inThreads(threads, func() error {
			//nolint:gosec // G404: not a secret
			place := rand.New(rand.NewPCG(seed.Add(1), uint64(size)<<8+uint64(threads)))
			buf := make([]byte, size)
			for time.Since(began) < randomFor {
				if _, err := s.ReadAt(buf, place.Int64N(randomSize/size)*size); err != nil {
					return err
				}
				done.Add(1)
			}
			return nil
		})
	})
	return float64(done.Load()) / time.Since(began).Seconds()
}

func (m *peerMount) read(key string, do func(source) error) {
	m.Helper()
	s, err := m.open(key)
	if err != nil {
		m.Fatal(err)
	}
	if err := errors.Join(do(s), s.Close()); err != nil {
		m.Fatal(err)
	}
}

// inThreads runs the same in several goroutines.
func inThreads(n int, do func() error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = do() })
	}
	wg.Wait()
	return errors.Join(errs...)
}
