package test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

const (
	crowd    = 200 // clients at once,
	triggers = 20  // of which so many want what has to be made first
)

// Two hundred clients at once, twenty of which open an image that is gone: one job
// makes it again, everybody gets the right bytes, and the server stays small.
func TestDAVCrowd(t *testing.T) {
	needAll(t)
	e := newEnv(t)
	image := e.built()
	tar := e.artifact("ostree")
	kept := filepath.Join(e.dir, "kept.qcow2")
	if err := os.Rename(image.file, kept); err != nil {
		t.Fatal(err)
	}
	before := e.jobFolders()
	d := e.door()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: crowd}}
	defer client.CloseIdleConnections()
	errs := make([]error, crowd)
	var all sync.WaitGroup
	for i := range crowd {
		url, want := d.url+tar.path, tar.file
		if i < triggers {
			url, want = d.url+image.path, kept
		}
		all.Go(func() { errs[i] = fetchSame(client, url, want) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	if made := e.jobFolders() - before; made != 1 {
		t.Errorf("%d jobs made the image, want one", made)
	}
	if _, _, peak := memory(t, d.Process.Pid); peak > 256<<20 {
		t.Errorf("the server used %d MiB at its peak", peak>>20)
	}
}

// fetchSame fetches what must be the bytes of a file.
func fetchSame(client *http.Client, url, want string) error {
	f, err := os.Open(want)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only read
	res, err := client.Get(url)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }() // read to its end, or wrong
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", url, res.Status)
	}
	return sameBytes(res.Body, f)
}

// sameBytes says whether two readers give the same.
func sameBytes(a, b io.Reader) error {
	x, y := make([]byte, 256<<10), make([]byte, 256<<10)
	for at := int64(0); ; at += int64(len(x)) {
		n, errA := io.ReadFull(a, x)
		m, errB := io.ReadFull(b, y)
		if !bytes.Equal(x[:n], y[:m]) {
			return fmt.Errorf("other bytes within 256 KiB of %d: %d of them, want %d", at, n, m)
		}
		for _, err := range []error{errA, errB} {
			if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				return err
			}
		}
		if n < len(x) {
			return nil
		}
	}
}
