package workdir

import (
	"testing"

	"cosafs/materialize"
)

// What a name names doesn't depend on how the artifact is recorded.
func TestNamesPromiseAFormat(t *testing.T) {
	w := newWorkdir(t)
	b := materialize.Build{ID: "1", Name: "tiny", Arch: testArch, Artifacts: map[string]materialize.Artifact{
		"ostree": {File: "tiny-0-ostree.x86_64.tar", SkipCompression: true}, // of the build before: the commit is the same
		"qemu":   {File: "tiny-1-qemu.x86_64.qcow2.xz", Inside: &materialize.Content{}},
		"gcp":    {File: "tiny-1-gcp.x86_64.tar.gz", SkipCompression: true, Inside: &materialize.Content{}},
		"metal":  {File: "tiny-1-metal.x86_64.raw"},
	}}
	for name, want := range map[string]string{
		"tiny-1-qemu.x86_64.qcow2.xz":     "qemu",
		"qemu.qcow2.xz":                   "qemu",
		"qemu.qcow2":                      "qemu.plain",
		"tiny-1-qemu.x86_64.qcow2":        "qemu.plain",
		"qemu.qcow2.gz":                   "qemu.gz",
		"tiny-1-qemu.x86_64.qcow2.gz":     "qemu.gz",
		"metal.raw":                       "metal",
		"metal.raw.zst":                   "metal.zst",
		"tiny-1-metal.x86_64.raw.zip":     "metal.zip",
		"gcp.tar.gz":                      "gcp",
		"gcp.tar":                         "",
		"gcp.tar.gz.xz":                   "gcp.xz",
		"tiny-0-ostree.x86_64.tar.gz":     "ostree.gz",
		"azure.vhd":                       "azure",
		"azure.vhd.xz":                    "azure.xz",
		"tiny-1-azure.x86_64.vhd.xz":      "azure.xz",
		"tiny-1-azure.x86_64.vhd.xz.gz":   "",
		"metal.raw.bz2":                   "",
		".gz":                             "",
		"meta.json.gz":                    "",
		"tiny-1-qemu.x86_64.qcow2.xz.zip": "",
	} {
		if got, ok := w.kindNamed(b, name); got != want || ok != (want != "") {
			t.Errorf("kindNamed(%s) = %q, %t; want %q", name, got, ok, want)
		}
	}
	for name, want := range map[string]string{"metal.raw": "metal", "metal.raw.xz": "metal.xz", "gcp.tar.gz": "gcp", "gcp.tar.gz.gz": "gcp.gz", "x.gz": "", "metal": ""} {
		if got, ok := kindOfNext(name); ok != (want != "") || ok && got != want {
			t.Errorf("kindOfNext(%s) = %q, %t; want %q", name, got, ok, want)
		}
	}
}
