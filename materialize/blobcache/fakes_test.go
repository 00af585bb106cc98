package blobcache_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"

	"cosafs/materialize/blobcache"
)

const (
	kib     = 1 << 10
	mib     = 1 << 20
	granule = 64 * kib
)

// content is the bytes of an object, whatever its size: any part is computed.
type content struct {
	seed uint64
	size int64
}

// ReadAt gives the bytes at off; p must be within the object.
func (c content) ReadAt(p []byte, off int64) (int, error) {
	var word [8]byte
	for i := 0; i < len(p); {
		x := (uint64(off+int64(i))/8 + c.seed) * 0x9e3779b97f4a7c15
		binary.LittleEndian.PutUint64(word[:], x^x>>29)
		i += copy(p[i:], word[(off+int64(i))%8:])
	}
	return len(p), nil
}

func (c content) bytes(off, n int64) []byte {
	p := make([]byte, n)
	_, _ = c.ReadAt(p, off) // can't fail
	return p
}

func (c content) sha256() string {
	h := sha256.New()
	_, _ = io.Copy(h, io.NewSectionReader(c, 0, c.size)) // can't fail
	return hex.EncodeToString(h.Sum(nil))
}

// object is the content as the cache is asked for it.
func (c content) object() blobcache.Object {
	return blobcache.Object{ID: fmt.Sprint("object ", c.seed), Name: fmt.Sprint("image-", c.seed, ".qcow2"), Size: c.size}
}

// A request is one call of an origin's Open.
type request struct{ off, n int64 }

// An origin gives content and counts what is asked of it.
type origin struct {
	content
	sum      string // of content, where a test needs it often
	mu       sync.Mutex
	requests []request
	open     answer // set by the test before it begins, or through answer
}

// An answer may fail a request or give another body.
type answer func(ctx context.Context, r request, body io.Reader) (io.Reader, error)

func (o *origin) answer(a answer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open = a
}

// Open implements [blobcache.Origin].
func (o *origin) Open(ctx context.Context, off, n int64) (io.ReadCloser, error) {
	r := request{off, n}
	o.mu.Lock()
	o.requests = append(o.requests, r)
	open := o.open
	o.mu.Unlock()
	var body io.Reader = io.NewSectionReader(o.content, off, n)
	if open != nil {
		var err error
		if body, err = open(ctx, r, body); err != nil {
			return nil, err
		}
	}
	return io.NopCloser(body), nil
}

// asked gives the requests so far, and how many bytes they were.
func (o *origin) asked() (requests []request, total int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range o.requests {
		total += r.n
	}
	return slices.Clone(o.requests), total
}

// forget starts the count anew.
func (o *origin) forget() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.requests = nil
}

// open opens a cache that is closed at the end of the test.
func open(t *testing.T, cfg blobcache.Config) *blobcache.Cache {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	if cfg.Floor == 0 {
		cfg.Floor = -1
	}
	c, err := blobcache.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeAll(t, c) })
	return c
}

func closeAll(t *testing.T, closers ...io.Closer) {
	t.Helper()
	for _, c := range closers {
		if err := c.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
}

// get opens a blob.
func get(t *testing.T, c *blobcache.Cache, want blobcache.Object, from blobcache.Origin) *blobcache.Blob {
	t.Helper()
	b, err := c.Get(t.Context(), want, from)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// check reads a part of a blob and compares it.
func check(t *testing.T, b *blobcache.Blob, want content, off, n int64) {
	t.Helper()
	p := make([]byte, n)
	if m, err := b.ReadAt(t.Context(), p, off); err != nil {
		t.Fatalf("read %d bytes at %d: %d, %v", n, off, m, err)
	}
	if !bytes.Equal(p, want.bytes(off, n)) {
		t.Fatalf("read %d bytes at %d: wrong bytes", n, off)
	}
}

// fill brings all of an object into the cache.
func fill(t *testing.T, c *blobcache.Cache, want blobcache.Object, from blobcache.Origin) {
	t.Helper()
	if err := c.Prefetch(t.Context(), want, from, nil); err != nil {
		t.Fatal(err)
	}
}
