package disk_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cosafs/materialize"
	"cosafs/materialize/disk"
)

// configured gives a Writer whose configuration has the files: name, text, ...
func configured(t *testing.T, files ...string) *disk.Writer {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		path := filepath.Join(dir, files[i])
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(files[i+1]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return disk.New(disk.Config{ConfigDir: dir})
}

// rendered decodes what RenderImage gives.
func rendered(t *testing.T, w *disk.Writer) map[string]any {
	t.Helper()
	b, err := w.RenderImage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestRenderImageDefaults(t *testing.T) {
	b, err := configured(t, "image.yaml", "size: 10\n").RenderImage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := `{"aws-imdsv2-only":true,"aws-volume-type":"gp3","aws-x86-boot-mode":"uefi-preferred","bootfs":"ext4",` +
		`"composefs":false,"compressor":"gzip","deploy-via-container":false,"extra-kargs":[],` +
		`"ostree-format":"oci-chunked-v1","platform-compressor":{},"rootfs":"xfs","rootfs-args":"","size":10,` +
		`"squashfs-compression":"zstd","vmware-hw-version":13,"vmware-os-type":"rhel7_64Guest","vmware-secure-boot":true}`
	if diff := cmp.Diff(want, string(b)); diff != "" {
		t.Errorf("image.json (-want +got):\n%s", diff)
	}
}

func TestRenderImageIncludes(t *testing.T) {
	got := rendered(t, configured(t,
		"image.yaml", "include: fcos/image.yaml\nsize: 20\nextra-kargs: [a]\nplatform-compressor: {gcp: gzip}\n",
		"fcos/image.yaml", "include: base.yaml\nsize: 10\nrootfs: ext4\nextra-kargs: [b]\nplatform-compressor: {aws: xz}\n",
		"fcos/base.yaml", "size: 8\ncompressor: zstd\nextra-kargs: [c]\n"))
	for key, want := range map[string]any{
		"size": 20.0, "rootfs": "ext4", "compressor": "zstd", "extra-kargs": []any{"a", "b", "c"},
		"platform-compressor": map[string]any{"gcp": "gzip"}, "include": nil,
	} {
		if diff := cmp.Diff(want, got[key]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", key, diff)
		}
	}
}

// TestRenderImageAllKeys has each key that cosa knows or knew.
func TestRenderImageAllKeys(t *testing.T) {
	rendered(t, configured(t, "image.yaml", `
size: 10
extra-kargs: [mitigations=auto]
rootfs: xfs
rootfs-args: -i nrext64=0
bootfs: ext4
composefs: false
ostree-remote: fedora
ostree-format: oci-chunked-v1
deploy-via-container: true
container-imgref: ostree-remote-registry:fedora:quay.io/fedora/fedora-coreos:stable
ostree-container-inject-openshift-cvo-labels: false
compressor: xz
platform-compressor:
  applehv: gzip
squashfs-compression: zstd
live-rootfs-fstype: erofs
live-rootfs-fsoptions: -zlzma,level=6
vmware-hw-version: 17
vmware-os-type: fedora64Guest
vmware-secure-boot: true
aws-imdsv2-only: true
aws-volume-type: gp3
aws-x86-boot-mode: uefi-preferred
ignition-network-kcmdline: [rd.neednet=1]
luks_rootfs: ""
save-var-subdirs-for-selabel-workaround: [lib]
postprocess-script: x
bootfs_metadata_csum_seed: false
osmet: true
bootc-install-to-fs: false
grub-script: x
`))
}

func TestRenderImageRefuses(t *testing.T) {
	tests := []struct {
		name, text string
		say        []string // what the message must name
	}{
		{"unknown key", "size: 1\nsizes: 2\n", []string{"image.yaml:2", `"sizes"`}},
		{"twice", "size: 1\n\nsize: 2\n", []string{"image.yaml:3", `"size"`}},
		{"no size", "rootfs: xfs\n", []string{"size"}},
		{"empty", "", []string{"size"}},
		{"btrfs", "size: 1\nrootfs: btrfs\n", []string{"image.yaml:2", "rootfs", "not supported yet"}},
		{"ext4verity", "size: 1\nbootfs: ext4verity\n", []string{"image.yaml:2", "bootfs", "not supported yet"}},
		{"luks", "size: 1\nluks_rootfs: root\n", []string{"image.yaml:2", "luks_rootfs", "not supported yet"}},
		{"other root", "size: 1\nrootfs: zfs\n", []string{"rootfs", "xfs, ext4"}},
		{"size zero", "size: 0\n", []string{"image.yaml:1", "size"}},
		{"size text", "size: big\n", []string{"size"}},
		{"list is text", "size: 1\nextra-kargs: a\n", []string{"image.yaml:2", "extra-kargs"}},
		{"null", "size: 1\nextra-kargs:\n", []string{"extra-kargs"}},
		{"not a mapping", "- size\n", []string{"image.yaml:1"}},
		{"not YAML", "size: [\n", []string{"image.yaml"}},
		{"includes nothing", "size: 1\ninclude: none.yaml\n", []string{"none.yaml"}},
		{"includes itself", "size: 1\ninclude: image.yaml\n", []string{"includes itself"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := configured(t, "image.yaml", tt.text).RenderImage(t.Context())
			wantClass(t, err, materialize.ClassConfig)
			for _, want := range tt.say {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not name %q", err, want)
				}
			}
		})
	}
	t.Run("no file", func(t *testing.T) {
		_, err := configured(t).RenderImage(t.Context())
		wantClass(t, err, materialize.ClassConfig)
	})
}

func FuzzRenderImage(f *testing.F) {
	f.Add("size: 10\nextra-kargs: [a]\n")
	f.Add("size: 1\nplatform-compressor: {a: b}\n")
	f.Add("&a size: *a\n")
	f.Fuzz(func(t *testing.T, text string) {
		w := configured(t, "image.yaml", text)
		b, err := w.RenderImage(t.Context())
		if err != nil {
			wantClass(t, err, materialize.ClassConfig)
			return
		}
		// What was rendered says the same when it's read again: JSON is YAML.
		again, err := configured(t, "image.yaml", string(b)).RenderImage(t.Context())
		if err != nil || string(again) != string(b) {
			t.Errorf("%s\nrendered again: %s, %v", b, again, err)
		}
	})
}
