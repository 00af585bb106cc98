package fetch_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"cosafs/cmd/internal/fetch"
	"cosafs/materialize"
	"cosafs/test/need"
)

func packed(t *testing.T, suffix string, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	switch suffix {
	case ".gz":
		w := gzip.NewWriter(&out)
		_, err := w.Write(data)
		if err = errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
	case ".zst":
		w, err := zstd.NewWriter(&out)
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.Write(data)
		if err = errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
	case ".xz":
		need.Tool(t, "xz")
		cmd := exec.CommandContext(t.Context(), "xz", "--compress", "--stdout")
		cmd.Stdin, cmd.Stdout = bytes.NewReader(data), &out
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

func decompress(o *fetch.Options) { o.Decompress = true }

// addPacked puts build 1.1 with a compressed qemu image into the store.
func (r *remote) addPacked(suffix string, data []byte, claim string) {
	r.t.Helper()
	bytes := packed(r.t, suffix, data)
	r.add("1.1", x86, nil)
	m := metaOf("1.1", x86, nil)
	m["images"] = map[string]any{"qemu": map[string]any{
		"path": "q.img" + suffix, "sha256": sum(bytes), "size": len(bytes), "uncompressed-sha256": claim, "uncompressed-size": len(data),
	}}
	r.putJSON("1.1/x86_64/meta.json", m)
	r.put("1.1/x86_64/q.img"+suffix, bytes)
}

func TestFetchDecompresses(t *testing.T) {
	data := slices.Concat(noise(100_000, 1), make([]byte, 8*mib), noise(5, 2))
	for _, suffix := range []string{".gz", ".zst", ".xz"} {
		t.Run(suffix, func(t *testing.T) {
			r := newRemote(t)
			r.addPacked(suffix, data, sum(data))
			p := newPlace(t)
			rep := p.mustFetch(r, decompress)
			if !bytes.Equal(p.read("builds/1.1/x86_64/q.img"), data) || p.has("1.1/x86_64/q.img"+suffix) {
				t.Error("the image is not there uncompressed, or still there compressed")
			}
			if st, err := os.Stat(p.path("builds/1.1/x86_64/q.img")); err != nil || blocks(t, st) > 4*mib {
				t.Errorf("%d bytes of disk, %v; want the zeros to be a hole", blocks(t, st), err)
			}
			im := p.image("qemu")
			if im.Path != "q.img" || im.SHA256 != sum(data) || im.Size != int64(len(data)) || im.UncompressedSHA256 != "" || im.UncompressedSize != -1 {
				t.Errorf("it is recorded as %+v", im)
			}
			if !slices.Contains(rep.Fetched, "1.1/x86_64/q.img") {
				t.Errorf("report %+v", rep)
			}
			if again := p.mustFetch(r, decompress); !slices.Contains(again.Skipped, "1.1/x86_64/q.img") || again.Bytes > 10_000 {
				t.Errorf("the second fetch: %+v", again)
			}
			p.nothingLeft()
		})
	}
}

func blocks(t *testing.T, st os.FileInfo) int64 {
	t.Helper()
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		t.Fatal("no stat")
	}
	return sys.Blocks * 512
}

func TestFetchDecompressesNothingWrong(t *testing.T) {
	data := noise(1000, 1)
	r := newRemote(t)
	r.addPacked(".gz", data, sum([]byte("another")))
	p := newPlace(t)
	if _, err := p.fetch(r, decompress); !errors.Is(err, materialize.ErrCorrupt) || p.has("1.1/x86_64/q.img") || !p.has("1.1/x86_64/q.img.gz") {
		t.Errorf("another uncompressed-sha256: %v", err)
	}
	if !slices.Equal(p.list(), []string{"1.1 x86_64"}) {
		t.Error("the build, which is right, isn't listed")
	}
}
