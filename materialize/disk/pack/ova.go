package pack

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"cosafs/materialize/disk/view"
)

// A Hypervisor is what an OVA is described for.
type Hypervisor int

// Hypervisors that cosa makes OVAs for.
const (
	VMware Hypervisor = iota
	VirtualBox
)

// OVAOptions are for [OVA].
type OVAOptions struct {
	For     Hypervisor
	Name    string    // the build's name, such as rhcos
	Version string    // the build's ostree-version
	Summary string    // the build's summary
	Seed    string    // as in VMDKOptions
	Time    time.Time // of the members; not before 1970
	Scratch string    // directory for the disk, whose size the archive's beginning tells; "" is the system's

	// Of VMware alone, from image.yaml.
	HardwareVersion int    // vmware-hw-version, such as 13
	OSType          string // vmware-os-type, such as rhel7_64Guest
	SecureBoot      bool   // vmware-secure-boot
}

// Names of the members, in their order; cosa's OVAs have no manifest.
const (
	ovaDescription = "coreos.ovf"
	ovaDisk        = "disk.vmdk"
)

// OVA writes what cosa's vmware and virtualbox artifacts are: an archive of a
// description (DMTF DSP0243) and a stream-optimised VMDK. Equal disks and options give
// equal bytes. A name that is empty and a time before 1970 are fs.ErrInvalid.
func OVA(ctx context.Context, w io.Writer, disk view.Image, o OVAOptions) (err error) {
	if o.Name == "" || strings.Contains(o.Name, "/") {
		return fmt.Errorf("write OVA: name %q: %w", o.Name, fs.ErrInvalid)
	}
	if err := checkTime(o.Time); err != nil {
		return fmt.Errorf("write OVA: %w", err)
	}
	f, err := os.CreateTemp(o.Scratch, "disk.*.vmdk")
	if err != nil {
		return fmt.Errorf("write OVA: %w", err)
	}
	defer func() {
		_ = f.Close()           // read again already, or failed
		_ = os.Remove(f.Name()) // in scratch space, which is cleared anyway
	}()
	if err := VMDK(ctx, f, disk, o.vmdk()); err != nil {
		return fmt.Errorf("write OVA: %w", err)
	}
	if err := o.write(ctx, w, f, disk.Size()); err != nil {
		return fmt.Errorf("write OVA: %w", err)
	}
	return nil
}

// vmdk gives the options that cosa has qemu-img write the disk with.
func (o OVAOptions) vmdk() VMDKOptions {
	if o.For == VirtualBox {
		return VMDKOptions{Name: ovaDisk, Seed: o.Seed, Adapter: "ide", Hardware: "4"}
	}
	return VMDKOptions{Name: ovaDisk, Seed: o.Seed}
}

// write writes the archive, whose description tells the size of the packed disk.
func (o OVAOptions) write(ctx context.Context, w io.Writer, disk *os.File, capacity int64) error {
	st, err := disk.Stat()
	if err != nil {
		return err
	}
	ovf, err := o.describe(capacity, st.Size())
	if err != nil {
		return err
	}
	packed, err := view.NewFile(disk, []view.Extent{{Start: 0, End: st.Size()}})
	if err != nil {
		return err
	}
	im, err := archive(ovaMember(ovaDescription, view.Bytes(ovf), o.Time), ovaMember(ovaDisk, packed, o.Time))
	if err != nil {
		return err
	}
	_, err = io.Copy(w, view.Reader(ctx, im))
	return err
}

// ovaMember is a file in ustar's format, which DSP0243 asks for.
func ovaMember(name string, content view.Image, modified time.Time) member {
	m := file(name, content, modified)
	m.header.Format = tar.FormatUSTAR
	return m
}
