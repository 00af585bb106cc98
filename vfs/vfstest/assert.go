package vfstest

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"
)

// read gives a whole file.
func (h *Harness) read(path string) ([]byte, error) {
	r, c, err := h.Access.Open(path)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.NewSectionReader(r, 0, 1<<40))
	return b, errors.Join(err, c.Close())
}

// wantFile says that reading path gives want.
func (h *Harness) wantFile(t *testing.T, path string, want []byte) {
	t.Helper()
	got, err := h.read(path)
	if err != nil {
		t.Errorf("read %s: %v", path, err)
	} else if !bytes.Equal(got, want) {
		t.Errorf("read %s: %d bytes, want %d others", path, len(got), len(want))
	}
}

// stat describes path, which must exist.
func (h *Harness) stat(t *testing.T, path string) Info {
	t.Helper()
	info, err := h.Access.Stat(path)
	if err != nil {
		t.Fatalf("stat %s: %v", path, err)
	}
	return info
}

// Patience of Eventually: what a notification and a loaded machine may take.
const (
	patience = 10 * time.Second
	look     = 10 * time.Millisecond
)

// Eventually waits until cond holds.
func Eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for !cond() {
		select {
		case <-timeout.C:
			t.Fatalf("not after %v: %s", patience, what)
		case <-tick.C:
		}
	}
}
