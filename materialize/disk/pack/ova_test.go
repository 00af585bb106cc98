package pack_test

import (
	"archive/tar"
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cosafs/materialize/disk/pack"
	"cosafs/materialize/disk/view"
	"cosafs/test/need"
)

func ovaOptions(h pack.Hypervisor) pack.OVAOptions {
	return pack.OVAOptions{
		For: h, Name: "fcos", Version: "1.0", Summary: `R&D "CoreOS" <4>`, Seed: "x", Time: time.Unix(1700000000, 0),
		HardwareVersion: 13, OSType: "rhel7_64Guest", SecureBoot: true,
	}
}

// An ovaEnvelope is what hypervisors read of coreos.ovf.
type ovaEnvelope struct {
	XMLName xml.Name `xml:"http://schemas.dmtf.org/ovf/envelope/1 Envelope"`
	File    struct {
		Href string `xml:"href,attr"`
		Size string `xml:"size,attr"`
	} `xml:"References>File"`
	Disk struct {
		Capacity string `xml:"capacity,attr"`
	} `xml:"DiskSection>Disk"`
	System struct {
		Name    string
		Product string `xml:"ProductSection>Product"`
		Version string `xml:"ProductSection>Version"`
		Type    string `xml:"VirtualHardwareSection>System>VirtualSystemType"`
		OS      struct {
			VMware string `xml:"osType,attr"`
		} `xml:"OperatingSystemSection"`
		Quantities []string `xml:"VirtualHardwareSection>Item>VirtualQuantity"`
		Config     []struct {
			Key   string `xml:"key,attr"`
			Value string `xml:"value,attr"`
		} `xml:"VirtualHardwareSection>Config"`
	} `xml:"VirtualSystem"`
}

// Members are cosa's, in their order; the description tells the truth of the disk.
func TestOVAHoldsTheDisk(t *testing.T) {
	need.Tool(t, "tar", "qemu-img")
	raw, im := sparse(t, rand.New(rand.NewPCG(1, 11)), 64<<20, 30)
	for h, kind := range map[pack.Hypervisor]string{pack.VMware: "vmx-13", pack.VirtualBox: "virtualbox-2.2"} {
		t.Run(kind, func(t *testing.T) {
			var out bytes.Buffer
			o := ovaOptions(h)
			o.Scratch = t.TempDir()
			if err := pack.OVA(t.Context(), &out, im, o); err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			if list := do(t, dir, bytes.NewReader(out.Bytes()), "tar", "-xvf", "-"); string(list) != "coreos.ovf\ndisk.vmdk\n" {
				t.Errorf("members %q", list)
			}
			do(t, "", nil, "qemu-img", "compare", "-q", "-f", "raw", "-F", "vmdk", raw, dir+"/disk.vmdk")
			checkOVF(t, dir, kind, im.Size())
			if left, err := os.ReadDir(o.Scratch); len(left) > 0 || err != nil {
				t.Errorf("left behind: %v %v", left, err)
			}
		})
	}
}

func checkOVF(t *testing.T, dir, kind string, capacity int64) {
	t.Helper()
	b, err := os.ReadFile(dir + "/coreos.ovf")
	if err != nil {
		t.Fatal(err)
	}
	disk, err := os.Stat(dir + "/disk.vmdk")
	if err != nil {
		t.Fatal(err)
	}
	var got, want ovaEnvelope
	if err := xml.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	want.XMLName = got.XMLName
	want.File.Href, want.File.Size = "disk.vmdk", strconv.FormatInt(disk.Size(), 10)
	want.Disk.Capacity = strconv.FormatInt(capacity, 10)
	want.System.Name, want.System.Product, want.System.Version = "fcos", `R&D "CoreOS" <4>`, "1.0"
	want.System.Type, want.System.Quantities = kind, []string{"2", "4096"}
	if strings.HasPrefix(kind, "vmx") {
		want.System.OS.VMware = "rhel7_64Guest"
		want.System.Config = append(want.System.Config, got.System.Config...)
		for i, c := range [][2]string{{"firmware", "efi"}, {"bootOptions.efiSecureBootEnabled", "true"}} {
			want.System.Config[i].Key, want.System.Config[i].Value = c[0], c[1]
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// DSP0243 asks for ustar.
func TestOVAIsUstar(t *testing.T) {
	var one, two bytes.Buffer
	im := view.Bytes(bytes.Repeat([]byte("cosafs.."), 1<<16))
	if err := errors.Join(pack.OVA(t.Context(), &one, im, ovaOptions(0)), pack.OVA(t.Context(), &two, im, ovaOptions(0))); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(one.Bytes(), two.Bytes()) {
		t.Error("two runs differ")
	}
	r := tar.NewReader(&one)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil || h.Format&tar.FormatUSTAR == 0 || h.Mode != 0o644 || h.Uid != 0 || h.ModTime.Unix() != 1700000000 {
			t.Fatalf("member %+v: %v", h, err)
		}
	}
}

func TestOVARefuses(t *testing.T) {
	for _, change := range []func(*pack.OVAOptions){
		func(o *pack.OVAOptions) { o.Name = "" },
		func(o *pack.OVAOptions) { o.Name = "a/b" },
		func(o *pack.OVAOptions) { o.Time = time.Time{} },
	} {
		o := ovaOptions(pack.VMware)
		change(&o)
		if err := pack.OVA(t.Context(), io.Discard, view.Bytes(make([]byte, 512)), o); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if err := pack.OVA(t.Context(), fullDisk{}, view.Bytes(make([]byte, 512)), ovaOptions(0)); !errors.Is(err, errFull) {
		t.Errorf("on a full disk: %v", err)
	}
}
