package disk

import (
	"maps"
	"slices"

	"cosafs/materialize/disk/view"
)

// A platform is what sets the file of a kind apart from others of its build: the disk,
// and the form that it has as a file, which is a frame or a coding.
type platform struct {
	id    string // as Ignition knows it; "" = the kind
	size  int64  // of the disk in GiB; 0 = what image.yaml says
	plain bool   // the disk keeps the size that it was written with

	// frame puts the disk into a frame that is computed as it is read; nil = the raw disk.
	frame func(view.Image) (view.Image, error)
	// code writes the framed disk as something that has to be written to be known;
	// nil = the framed disk itself is the file.
	code coder
	// stored says that the file is one of the build once it was opened.
	stored bool
}

// platforms are the kinds that can be made. Forms and sizes are those of cosa's build
// and buildextend commands, whose cloud images are made of the qemu image and have its
// size.
func platforms() map[string]platform {
	return map[string]platform{
		"metal":   {plain: true, stored: true},
		"metal4k": {id: "metal", plain: true, stored: true},
		"qemu":    {frame: qcow2, stored: true},

		"aliyun":      {frame: qcow2},
		"applehv":     {},
		"azure":       {frame: vhd},
		"azurestack":  {frame: vhd},
		"exoscale":    {frame: qcow2},
		"hetzner":     {},
		"ibmcloud":    {frame: qcow2, size: 100},
		"openstack":   {frame: qcow2},
		"oraclecloud": {frame: qcow2},
		"proxmoxve":   {frame: qcow2},
		"vultr":       {},

		"aws":          {code: vmdk},
		"digitalocean": {frame: qcow2, code: gzipped},
		"gcp":          {code: gcp},
		"hyperv":       {code: vhdx},
		"kubevirt":     {frame: qcow2, code: kubevirt},
		"nutanix":      {code: compressedQCOW2},
		"powervs":      {code: powerVS},
		"virtualbox":   {code: virtualBox},
		"vmware":       {code: vmware},
	}
}

// Kinds implements [materialize.DiskWriter]. metal4k is metal from a base disk
// whose request has 4096-byte sectors.
func (w *Writer) Kinds() []string { return slices.Sorted(maps.Keys(platforms())) }

// Views implements [materialize.DiskWriter]. What cosa makes in a VM is a file:
// its other tools, and other images, are made of it.
func (w *Writer) Views() []string {
	return slices.DeleteFunc(w.Kinds(), func(kind string) bool {
		p := platforms()[kind]
		return p.stored || p.code != nil
	})
}
