package index

import "strings"

// A form is how the file of a kind is called: <name>-<id>, then token, the
// architecture between separator and suffix. A form without separator has no
// architecture at all.
type form struct {
	kind                     Kind
	token, separator, suffix string
	skip                     bool // cosa sets skip-compression
}

// forms lists all kinds that cosa ever made under the names of its classic era
// (2021-12 to 2024-06). Sources: cosa's build and buildextend commands.
var forms = []form{
	{"ostree", "-ostree", ".", ".tar", true}, // .ociarchive in cosa since 2021-12; we write tar
	{"oci-manifest", "-ostree", ".", "-manifest.json", true},
	{"qemu", "-qemu", ".", ".qcow2", false},
	{"qemu-secex", "-qemu-secex", ".", ".qcow2", false},
	{"ignition-gpg-key", "-ignition-secex-key", "", ".gpg.pub", true},
	{"metal", "-metal", ".", ".raw", false},
	{"metal4k", "-metal4k", ".", ".raw", false},
	{"metal-bios", "-metal-bios", ".", ".raw", false}, // until 2019, with metal-uefi
	{"metal-uefi", "-metal-uefi", ".", ".raw", false},
	{"dasd", "-dasd", ".", ".raw", false},
	{"live-iso", "-live", ".", ".iso", true},
	{"live-kernel", "-live-kernel", "-", "", true},
	{"live-initramfs", "-live-initramfs", ".", ".img", true},
	{"live-rootfs", "-live-rootfs", ".", ".img", true},
	{"iso", "-installer", ".", ".iso", true}, // the legacy installer, until 2020
	{"kernel", "-installer-kernel", "-", "", true},
	{"initramfs", "-installer-initramfs", ".", ".img", true},
	{"aws", "-aws", ".", ".vmdk", false},
	{"azure", "-azure", ".", ".vhd", false},
	{"azurestack", "-azurestack", ".", ".vhd", false},
	{"gcp", "-gcp", ".", ".tar.gz", true},
	{"openstack", "-openstack", ".", ".qcow2", false},
	{"aliyun", "-aliyun", ".", ".qcow2", false},
	{"exoscale", "-exoscale", ".", ".qcow2", false},
	{"ibmcloud", "-ibmcloud", ".", ".qcow2", false},
	{"oraclecloud", "-oraclecloud", ".", ".qcow2", false},
	{"proxmoxve", "-proxmoxve", ".", ".qcow2", false},
	{"nutanix", "-nutanix", ".", ".qcow2", true},
	{"digitalocean", "-digitalocean", ".", ".qcow2.gz", true},
	{"applehv", "-applehv", ".", ".raw", false}, // with .gz in cosa until 2024-12
	{"hyperv", "-hyperv", ".", ".vhdx", false},  // with .zip in cosa until 2024-12
	{"vultr", "-vultr", ".", ".raw", false},
	{"hetzner", "-hetzner", ".", ".raw", false},
	{"kubevirt", "-kubevirt", ".", ".ociarchive", true},
	{"powervs", "-powervs", ".", ".ova.gz", true},
	{"vmware", "-vmware", ".", ".ova", true},
	{"virtualbox", "-virtualbox", ".", ".ova", true},
	{"nvidiabluefield", "-nvidiabluefield", ".", ".bfb", true},
	{"extensions-container", "-extensions-container", ".", ".ociarchive", true},
	{"legacy-oscontainer", "-legacy-oscontainer", ".", ".ociarchive", true},
}

// otherForms are names that are read, but not written: those of other eras.
var otherForms = []form{
	{kind: "ostree", token: "-ostree", separator: ".", suffix: ".ociarchive"},
	// Since 2025-05 with osbuild.
	{kind: "live-iso", token: "-live-iso", separator: ".", suffix: ".iso"},
	{kind: "live-kernel", token: "-live-kernel", separator: "."},
	{kind: "digitalocean", token: "-digitalocean", separator: ".", suffix: ".qcow2"},
	// gcp images whose gzip layer a store took for a transfer encoding.
	{kind: "gcp", token: "-gcp", separator: ".", suffix: ".tar"},
}

// formOf gives the form that files of a kind are written in.
func formOf(kind Kind) (form, bool) {
	for _, f := range forms {
		if f.kind == kind {
			return f, true
		}
	}
	return form{}, false
}

// Kinds lists the kinds that have names, the commit first.
func Kinds() []Kind {
	kinds := make([]Kind, len(forms))
	for i, f := range forms {
		kinds[i] = f.kind
	}
	return kinds
}

// SkipCompression says whether cosa records a kind, as [FileName] names it, with
// skip-compression: it is compressed already, or must be readable as it is.
func SkipCompression(kind Kind) bool {
	f, _ := formOf(kind)
	return f.skip
}

// ShortName gives the name that is left of a kind's file name without the OS,
// the build and the architecture, such as qemu.qcow2 or live-kernel. It is "" for
// an unknown kind.
func ShortName(kind Kind) string {
	f, _ := formOf(kind)
	return f.short()
}

func (f *form) short() string { return strings.TrimPrefix(f.token+f.suffix, "-") }

// KindOfShort undoes [ShortName]. Names of other eras or with a compression
// suffix are not short names: they would promise another format.
func KindOfShort(short string) (Kind, bool) {
	for _, f := range forms {
		if short == f.short() {
			return f.kind, true
		}
	}
	return "", false
}
