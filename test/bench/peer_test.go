package bench

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cosafs/materialize/appliance"
	"cosafs/test/tinyos"
)

// A peer is the scripts in testdata.
type peer struct{ *bench }

func newPeer(tb testing.TB, appl string) peer {
	tb.Helper()
	b := newBench(tb)
	here, err := filepath.Abs("testdata")
	if err != nil {
		tb.Fatal(err)
	}
	kernel, err := appliance.FindKernel("/") // the same one
	if err != nil {
		tb.Fatal(err)
	}
	if appl == "" {
		appl = filepath.Join(b.dir, "appliance")
	}
	b.env = append(b.env, "HERE="+here, "KERNEL="+kernel, "APPLIANCE="+appl, "CONFIG="+config(tb),
		"WORK="+filepath.Join(b.dir, "work"), "GRUBCFG="+filepath.Join(here, "../../../materialize/disk/install/grub.cfg"))
	return peer{b}
}

func (p peer) script(name string) { p.Helper(); p.run("bash", filepath.Join("testdata", name)) }

// image makes an image from nothing and says what that took.
func (p peer) image(appl string) (string, cost) {
	p.Helper()
	began := time.Now()
	if err := os.Mkdir(filepath.Join(p.dir, "work"), 0o755); err != nil {
		p.Fatal(err)
	}
	if appl == "" {
		p.script("appliance.sh")
	}
	p.script("compose.sh")
	p.script("image.sh")
	image := filepath.Join(p.dir, "work", "disk.qcow2")
	p.isQcow2(image)
	return image, cost{time.Since(began), p.cost.cpu}
}

func (b *bench) isQcow2(image string) {
	b.Helper()
	if info := b.run("qemu-img", "info", image); !strings.Contains(info, "file format: qcow2") {
		b.Fatalf("qemu-img info says: %s", info)
	}
}

// boots checks that what the peer makes is as good as what cosafs makes.
func (p peer) boots(image string) {
	p.Helper()
	needTools(p, "ovmf")
	for _, uefi := range []bool{false, true} {
		console, err := tinyos.Boot(p.Context(), tinyos.BootConfig{Disk: image, Format: "qcow2", UEFI: uefi})
		if err != nil {
			p.Fatalf("the peer's image, UEFI %v: %v\n%s", uefi, err, console)
		}
	}
}
