package fetch_test

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"cosafs/cmd/internal/fetch"
)

// Whoever reads builds/ during a fetch sees nothing of a build or all of it, and
// no build in the list that isn't there.
func TestFetchIsSeenWhole(t *testing.T) {
	images := map[string][]byte{"qemu": noise(5*mib, 1), "metal": noise(3*mib, 2), "aws": noise(mib, 3)}
	r := newRemote(t)
	r.add("1.1", x86, images)
	p := newPlace(t)
	var g sync.WaitGroup
	over := make(chan struct{})
	g.Go(func() {
		for looks := 0; ; looks++ {
			p.look(images)
			select {
			case <-over:
				t.Logf("looked %d times", looks)
				return
			default:
			}
		}
	})
	if _, err := p.fetch(r, func(o *fetch.Options) { o.Artifacts = []string{fetch.All} }); err != nil {
		t.Error(err)
	}
	close(over)
	g.Wait()
	if !p.has("1.1/x86_64") {
		t.Error("there is nothing to be seen")
	}
}

// look checks what is to be seen, if it is.
func (p place) look(images map[string][]byte) {
	p.t.Helper()
	listed, pointed := p.has("builds.json"), p.has("latest") // before the build: it must be older
	entries, err := os.ReadDir(p.path("builds/1.1/x86_64"))
	if err != nil {
		if listed || pointed {
			p.t.Errorf("builds.json: %v, latest: %v, but no build: %v", listed, pointed, err)
		}
		return
	}
	if len(entries) < len(images)+3 { // locks may be there as well
		p.t.Errorf("only %d files of the build", len(entries))
	}
	for kind, want := range images {
		got, err := os.ReadFile(filepath.Join(p.path("builds/1.1/x86_64"), file("1.1", kind)))
		if err != nil || !bytes.Equal(got, want) {
			p.t.Errorf("%s has %d bytes, %v", kind, len(got), err)
		}
	}
}
