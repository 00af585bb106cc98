package index_test

import (
	"strings"
	"testing"

	"cosafs/index"
)

const (
	osName  = "fedora-coreos"
	buildID = index.BuildID("41.20250102.dev.1")
	prefix  = osName + "-" + string(buildID)
)

func TestFileNames(t *testing.T) {
	for _, tc := range []struct {
		kind        index.Kind
		full, short string
		skip        bool
	}{
		{"ostree", "-ostree.x86_64.tar", "ostree.tar", true},
		{"oci-manifest", "-ostree.x86_64-manifest.json", "ostree-manifest.json", true},
		{"qemu", "-qemu.x86_64.qcow2", "qemu.qcow2", false},
		{"ignition-gpg-key", "-ignition-secex-key.gpg.pub", "ignition-secex-key.gpg.pub", true},
		{"metal", "-metal.x86_64.raw", "metal.raw", false},
		{"metal4k", "-metal4k.x86_64.raw", "metal4k.raw", false},
		{"live-iso", "-live.x86_64.iso", "live.iso", true},
		{"live-kernel", "-live-kernel-x86_64", "live-kernel", true},
		{"live-initramfs", "-live-initramfs.x86_64.img", "live-initramfs.img", true},
		{"iso", "-installer.x86_64.iso", "installer.iso", true},
		{"aws", "-aws.x86_64.vmdk", "aws.vmdk", false},
		{"azure", "-azure.x86_64.vhd", "azure.vhd", false},
		{"gcp", "-gcp.x86_64.tar.gz", "gcp.tar.gz", true},
		{"vmware", "-vmware.x86_64.ova", "vmware.ova", true},
		{"hyperv", "-hyperv.x86_64.vhdx", "hyperv.vhdx", false},
		{"applehv", "-applehv.x86_64.raw", "applehv.raw", false},
	} {
		if got, ok := index.FileName(tc.kind, osName, buildID, "x86_64"); !ok || got != prefix+tc.full {
			t.Errorf("FileName(%s) = %q, %t", tc.kind, got, ok)
		}
		if got := index.ShortName(tc.kind); got != tc.short {
			t.Errorf("ShortName(%s) = %q", tc.kind, got)
		}
		if got := index.SkipCompression(tc.kind); got != tc.skip {
			t.Errorf("SkipCompression(%s) = %t", tc.kind, got)
		}
	}
}

// Each kind has a name and a short name of its own.
func TestNamesRoundTrip(t *testing.T) {
	for _, kind := range index.Kinds() {
		file, ok := index.FileName(kind, osName, buildID, "s390x")
		if got, c, found := index.ParseFileName(file, osName, buildID, "s390x"); !ok || !found || got != kind || c != "" {
			t.Errorf("%s is of kind %q, compression %q, want %s", file, got, c, kind)
		}
		if got, ok := index.KindOfShort(index.ShortName(kind)); !ok || got != kind {
			t.Errorf("KindOfShort(%s) = %q", index.ShortName(kind), got)
		}
	}
}

func TestParseFileName(t *testing.T) {
	for _, tc := range []struct {
		file        string
		kind        index.Kind
		compression string
	}{
		{prefix + "-qemu.x86_64.qcow2.xz", "qemu", "xz"},
		{prefix + "-metal.x86_64.raw.gz", "metal", "gz"},
		{prefix + "-metal.x86_64.raw.zst", "metal", "zst"},
		{prefix + "-ostree.x86_64.ociarchive", "ostree", ""},
		{prefix + "-live-iso.x86_64.iso", "live-iso", ""},
		{prefix + "-live-kernel.x86_64", "live-kernel", ""},
		{prefix + "-hyperv.x86_64.vhdx.zip", "hyperv", "zip"}, // both so until 2024-12
		{prefix + "-applehv.x86_64.raw.gz", "applehv", "gz"},
		{prefix + "-gcp.x86_64.tar.gz", "gcp", ""}, // its own suffix, not a compression
		{prefix + "-qemu.qcow2", "qemu", ""},       // before 2019-09-30
		{prefix + "-installer-kernel", "kernel", ""},
		{prefix + "-metal-bios.raw.gz", "metal-bios", "gz"},
		{prefix + "-gcp.tar", "gcp", ""},
		{prefix + "-qemu.aarch64.qcow2", "", ""}, // another architecture
		{prefix + "-qemu..qcow2", "", ""},
		{prefix + "-qemu.x86_64.qcow2.gz.gz", "", ""},
		{prefix + "-ignition-secex-key.x86_64.gpg.pub", "", ""},
		{prefix + "-nonesuch.x86_64.raw", "", ""},
		{"fedora-coreos-40.1-qemu.x86_64.qcow2", "", ""}, // another build
		{"meta.json", "", ""},
		{"", "", ""},
	} {
		kind, compression, ok := index.ParseFileName(tc.file, osName, buildID, "x86_64")
		if kind != tc.kind || compression != tc.compression || ok != (tc.kind != "") {
			t.Errorf("ParseFileName(%q) = %q, %q, %t", tc.file, kind, compression, ok)
		}
	}
}

func TestNoName(t *testing.T) {
	for _, tc := range []struct {
		kind index.Kind
		name string
		id   index.BuildID
		arch index.Arch
	}{
		{"nonesuch", osName, buildID, "x86_64"},
		{"qemu", "", buildID, "x86_64"},
		{"qemu", osName, "", "x86_64"},
		{"qemu", osName, buildID, ""},
		{"qemu", "../x", buildID, "x86_64"},
		{"qemu", osName, index.BuildID(strings.Repeat("x", 300)), "x86_64"},
	} {
		if got, ok := index.FileName(tc.kind, tc.name, tc.id, tc.arch); ok {
			t.Errorf("FileName(%v) = %q", tc, got)
		}
	}
	if got := index.ShortName("nonesuch"); got != "" {
		t.Errorf("ShortName of an unknown kind = %q", got)
	}
	for _, short := range []string{"", "qemu", "ostree.ociarchive", "metal.raw.gz"} {
		if kind, ok := index.KindOfShort(short); ok {
			t.Errorf("KindOfShort(%q) = %q", short, kind)
		}
	}
}
