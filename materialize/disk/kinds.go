package disk

import (
	"maps"
	"slices"
)

// A frame is the form that a disk has as a file.
type frame int

const (
	raw   frame = iota // the disk's bytes
	qcow2              // version 3, as qemu-img convert makes it
	vhd                // fixed: the disk and a footer, as qemu-img's force_size makes it
)

// A platform is what sets the disk of a kind apart from others of its build.
type platform struct {
	id    string // as Ignition knows it; "" = the kind
	frame frame
	size  int64 // of the disk in GiB; 0 = what image.yaml says
	plain bool  // the disk keeps the size that it was written with

	stored bool // a file of the build once it was opened
}

// platforms are the kinds that need no encoding. Frames and sizes are those of
// cosa's build and buildextend commands, whose cloud images are made of the qemu
// image and have its size.
func platforms() map[string]platform {
	return map[string]platform{
		"metal":       {frame: raw, plain: true, stored: true},
		"metal4k":     {id: "metal", frame: raw, plain: true, stored: true},
		"qemu":        {frame: qcow2, stored: true},
		"aliyun":      {frame: qcow2},
		"applehv":     {frame: raw},
		"azure":       {frame: vhd},
		"azurestack":  {frame: vhd},
		"exoscale":    {frame: qcow2},
		"hetzner":     {frame: raw},
		"ibmcloud":    {frame: qcow2, size: 100},
		"openstack":   {frame: qcow2},
		"oraclecloud": {frame: qcow2},
		"proxmoxve":   {frame: qcow2},
		"vultr":       {frame: raw},
	}
}

// Kinds implements [materialize.DiskWriter]. metal4k is metal from a base disk
// whose request has 4096-byte sectors.
func (w *Writer) Kinds() []string { return slices.Sorted(maps.Keys(platforms())) }

// Views implements [materialize.DiskWriter]. What cosa makes in a VM is a file:
// its other tools, and other images, are made of it.
func (w *Writer) Views() []string {
	return slices.DeleteFunc(w.Kinds(), func(kind string) bool { return platforms()[kind].stored })
}
