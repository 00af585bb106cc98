package pack_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cosafs/materialize/disk/pack"
	"cosafs/materialize/disk/view"
	"cosafs/test/need"
)

func powerVSOptions() pack.PowerVSOptions {
	return pack.PowerVSOptions{Name: "rhcos", Version: "4.1", Summary: `R&D "CoreOS" <4>`, Time: time.Unix(1700000000, 0)}
}

// An envelope is what a reader of OVF needs of coreos.ovf.
type envelope struct {
	Files []struct {
		Href string `xml:"href,attr"`
		ID   string `xml:"id,attr"`
		Size string `xml:"size,attr"`
	} `xml:"http://schemas.dmtf.org/ovf/envelope/1 References>File"`
	Disks []struct {
		Capacity string `xml:"capacity,attr"`
		FileRef  string `xml:"fileRef,attr"`
	} `xml:"DiskSection>Disk"`
	System struct {
		Name string
		OS   struct {
			ID           string `xml:"http://schemas.dmtf.org/ovf/envelope/1 id,attr"`
			Description  string
			Architecture string `xml:"ibmpvc architecture"`
		} `xml:"OperatingSystemSection"`
		Items []struct {
			HostResource string
			ResourceType int
			Boot         string `xml:"ibmpvc boot"`
		} `xml:"VirtualHardwareSection>Item"`
	} `xml:"VirtualSystemCollection>VirtualSystem"`
}

func TestPowerVSHoldsTheDisk(t *testing.T) {
	need.Tool(t, "tar", "gzip")
	_, im := sparse(t, rand.New(rand.NewPCG(1, 7)), 40<<20+512, 30)
	var out bytes.Buffer
	if err := pack.PowerVS(t.Context(), &out, im, powerVSOptions()); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	list := do(t, dir, bytes.NewReader(out.Bytes()), "tar", "-tzf", "-")
	if got, want := string(list), "coreos.ovf\nrhcos-4.1-disk.raw\n"; got != want {
		t.Errorf("members %q, want %q", got, want)
	}
	do(t, dir, &out, "tar", "-xzf", "-")
	sameImages(t, openFile(t, dir+"/rhcos-4.1-disk.raw"), im)
	b, err := os.ReadFile(dir + "/coreos.ovf")
	if err != nil {
		t.Fatal(err)
	}
	checkEnvelope(t, b, im.Size())
}

func checkEnvelope(t *testing.T, b []byte, size int64) {
	t.Helper()
	var got, want envelope
	if err := xml.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Files) != 1 || len(got.Disks) != 1 || len(got.System.Items) != 1 {
		t.Fatalf("%+v", got)
	}
	want.Files = append(want.Files, got.Files[0])
	want.Files[0].Href, want.Files[0].ID, want.Files[0].Size = "rhcos-4.1-disk.raw", "file1", strconv.FormatInt(size, 10)
	want.Disks = append(want.Disks, got.Disks[0])
	want.Disks[0].Capacity, want.Disks[0].FileRef = "128849018880", "file1"
	want.System.Name = "rhcos-4.1"
	want.System.OS.ID, want.System.OS.Architecture = "80", "ppc64le"
	want.System.OS.Description = `rhcos R&D "CoreOS" <4> 4.1`
	want.System.Items = append(want.System.Items, got.System.Items[0])
	item := &want.System.Items[0]
	item.HostResource, item.ResourceType, item.Boot = "ovf:/disk/disk1", 17, "True"
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// What is inside is what PowerVSTar shows, whose size and digest meta.json records.
func TestPowerVSIsReproducible(t *testing.T) {
	_, im := sparse(t, rand.New(rand.NewPCG(2, 7)), 10<<20, 10)
	o := powerVSOptions()
	var first, second bytes.Buffer
	o.Workers = 1
	err := pack.PowerVS(t.Context(), &first, im, o)
	o.Workers = 3
	if err := errors.Join(err, pack.PowerVS(t.Context(), &second, im, o)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("the number of workers changes the output")
	}
	inside, err := pack.PowerVSTar(im, o)
	if err != nil {
		t.Fatal(err)
	}
	plain := do(t, "", &first, "gzip", "-dc")
	if int64(len(plain)) != inside.Size() || sumOf(t, bytes.NewReader(plain)) != sumOf(t, view.Reader(t.Context(), inside)) {
		t.Error("what is inside isn't what PowerVSTar shows")
	}
}

func TestPowerVSRefuses(t *testing.T) {
	for _, change := range []func(*pack.PowerVSOptions){
		func(o *pack.PowerVSOptions) { o.Name = "" },
		func(o *pack.PowerVSOptions) { o.Version = "../1" },
		func(o *pack.PowerVSOptions) { o.Time = time.Time{} },
	} {
		o := powerVSOptions()
		change(&o)
		if err := pack.PowerVS(t.Context(), io.Discard, view.Bytes([]byte("x")), o); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
