package pack_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"cosafs/materialize/disk/pack"
	"cosafs/materialize/disk/view"
	"cosafs/test/need"
)

func kubevirtOptions(t *testing.T) pack.KubevirtOptions {
	t.Helper()
	return pack.KubevirtOptions{
		Name: "fcos-1-kubevirt.x86_64.qcow2", Arch: "x86_64", Version: "1",
		Time: time.Unix(1700000000, 5), Scratch: t.TempDir(),
	}
}

func kubevirt(t *testing.T, disk view.Image, o pack.KubevirtOptions) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := pack.Kubevirt(t.Context(), &out, disk, o); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(o.Scratch); err != nil || len(left) > 0 {
		t.Errorf("scratch holds %v, %v", left, err)
	}
	return out.Bytes()
}

// A layout is the files of an OCI archive.
type layout map[string][]byte

func readLayout(t *testing.T, archive []byte) layout {
	t.Helper()
	l := layout{}
	for in := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return l
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Mode != 0o644 || !h.ModTime.Equal(time.Unix(1700000000, 0)) {
			t.Errorf("%+v", h)
		}
		if l[h.Name], err = io.ReadAll(in); err != nil {
			t.Fatal(err)
		}
	}
}

// A ref is a descriptor as the OCI specification has it.
type ref struct {
	MediaType, Digest string
	Size              int
}

// blob gives what a descriptor points to, whose size and digest must be right.
func (l layout) blob(t *testing.T, r ref, mediaType string) []byte {
	t.Helper()
	sum, _ := hex.DecodeString(r.Digest[len("sha256:"):]) // a wrong one is not the digest
	b := l["blobs/sha256/"+hex.EncodeToString(sum)]
	if got := sha256.Sum256(b); !bytes.Equal(got[:], sum) || len(b) != r.Size || r.MediaType != mediaType {
		t.Fatalf("%+v: %d bytes of digest %x", r, len(b), got)
	}
	return b
}

func decode(t *testing.T, b []byte, to any) {
	t.Helper()
	if err := json.Unmarshal(b, to); err != nil {
		t.Fatal(err)
	}
}

// An image's documents, as far as readers need them.
type (
	index struct {
		SchemaVersion int
		Manifests     []ref
	}
	manifest struct {
		SchemaVersion int
		MediaType     string
		Config        ref
		Layers        []ref
	}
	imageConfig struct {
		Created, Architecture, OS string
		Config                    struct{ Labels map[string]string }
		RootFS                    struct {
			Type    string
			DiffIDs []string `json:"diff_ids"`
		}
	}
)

// From index.json on every digest leads to the next file, down to the disk.
func TestKubevirtIsAnImage(t *testing.T) {
	_, base := sparse(t, rand.New(rand.NewPCG(1, 6)), 64<<20, 30)
	disk, err := view.QCOW2(base, base.Size())
	if err != nil {
		t.Fatal(err)
	}
	o := kubevirtOptions(t)
	l := readLayout(t, kubevirt(t, disk, o))
	if got := string(l["oci-layout"]); got != `{"imageLayoutVersion":"1.0.0"}` || len(l) != 5 {
		t.Errorf("oci-layout %s, %d files", got, len(l))
	}
	var x index
	decode(t, l["index.json"], &x)
	if x.SchemaVersion != 2 || len(x.Manifests) != 1 {
		t.Fatalf("%+v", x)
	}
	var m manifest
	decode(t, l.blob(t, x.Manifests[0], "application/vnd.oci.image.manifest.v1+json"), &m)
	if m.SchemaVersion != 2 || m.MediaType != x.Manifests[0].MediaType || len(m.Layers) != 1 {
		t.Fatalf("%+v", m)
	}
	var c imageConfig
	decode(t, l.blob(t, m.Config, "application/vnd.oci.image.config.v1+json"), &c)
	if c.Architecture != "amd64" || c.OS != "linux" || c.Created != "2023-11-14T22:13:20Z" ||
		c.Config.Labels["version"] != "1" || c.RootFS.Type != "layers" || len(c.RootFS.DiffIDs) != 1 {
		t.Fatalf("%+v", c)
	}
	checkLayer(t, l.blob(t, m.Layers[0], "application/vnd.oci.image.layer.v1.tar+gzip"), c.RootFS.DiffIDs[0], o.Name, disk)
}

// checkLayer looks for the disk in a layer.
func checkLayer(t *testing.T, layer []byte, diffID, name string, disk view.Image) {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(layer))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.New()
	plain := io.TeeReader(z, sum)
	in := tar.NewReader(plain)
	dir, err := in.Next()
	if err != nil || dir.Typeflag != tar.TypeDir || dir.Name != "disk/" || dir.Mode != 0o755 {
		t.Fatalf("%+v, %v", dir, err)
	}
	h, err := in.Next()
	if err != nil || h.Name != "disk/"+name || h.Uid != 107 || h.Gid != 107 || h.Mode != 0o440 || h.Size != disk.Size() {
		t.Fatalf("%+v, %v", h, err)
	}
	if sumOf(t, in) != sumOf(t, view.Reader(t.Context(), disk)) {
		t.Error("the disk changed")
	}
	if _, err := in.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("one more member: %v", err)
	}
	if _, err := io.Copy(io.Discard, plain); err != nil {
		t.Fatal(err)
	}
	if got := "sha256:" + hex.EncodeToString(sum.Sum(nil)); got != diffID {
		t.Errorf("diff_id %s, the tar's is %s", diffID, got)
	}
}

func TestKubevirtIsReproducible(t *testing.T) {
	_, disk := sparse(t, rand.New(rand.NewPCG(2, 6)), 16<<20, 30)
	o := kubevirtOptions(t)
	first := kubevirt(t, disk, o)
	o.Workers, o.Scratch = 1, t.TempDir()
	if !bytes.Equal(kubevirt(t, disk, o), first) {
		t.Error("another run gives another archive")
	}
}

// skopeo is what cosa pushes these archives with.
func TestKubevirtForSkopeo(t *testing.T) {
	need.Tool(t, "skopeo")
	_, disk := sparse(t, rand.New(rand.NewPCG(3, 6)), 1<<20, 3)
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/a.ociarchive", kubevirt(t, disk, kubevirtOptions(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	do(t, dir, nil, "skopeo", "--insecure-policy", "copy", "oci-archive:a.ociarchive", "dir:out")
}

func TestKubevirtRefuses(t *testing.T) {
	for _, change := range []func(*pack.KubevirtOptions){
		func(o *pack.KubevirtOptions) { o.Arch = "vax" },
		func(o *pack.KubevirtOptions) { o.Name = "" },
		func(o *pack.KubevirtOptions) { o.Name = ".." },
		func(o *pack.KubevirtOptions) { o.Name = "../disk" },
		func(o *pack.KubevirtOptions) { o.Time = time.Time{} },
		func(o *pack.KubevirtOptions) { o.Level = 12 },
	} {
		o := kubevirtOptions(t)
		change(&o)
		if err := pack.Kubevirt(t.Context(), io.Discard, view.Bytes([]byte("x")), o); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestKubevirtFails(t *testing.T) {
	_, disk := sparse(t, rand.New(rand.NewPCG(4, 6)), 1<<20, 3)
	o := kubevirtOptions(t)
	if err := pack.Kubevirt(t.Context(), &failing{2000, errBroken}, disk, o); !errors.Is(err, errBroken) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errBroken)
	if err := pack.Kubevirt(ctx, io.Discard, disk, o); !errors.Is(err, errBroken) {
		t.Error(err)
	}
	if left, err := os.ReadDir(o.Scratch); err != nil || len(left) > 0 {
		t.Errorf("scratch holds %v, %v", left, err)
	}
	o.Scratch += "/none"
	if err := pack.Kubevirt(t.Context(), io.Discard, disk, o); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
