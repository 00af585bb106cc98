package qemu_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cosafs/cmd/internal/qemu"
	"cosafs/test/need"
)

// The command lines of each frame and firmware are those of testdata/args.golden;
// COSAFS_TEST_UPDATE=1 writes it.
func TestArgs(t *testing.T) {
	need.Tool(t, "ovmf")
	dir := t.TempDir()
	machines := []struct {
		title, image string
		machine      qemu.Machine
	}{
		{"qemu", "os-1-qemu.x86_64.qcow2", qemu.Machine{}},
		{"qemu, UEFI", "os-1-qemu.x86_64.qcow2", qemu.Machine{Firmware: qemu.UEFI}},
		{"metal, KVM", "os-1-metal.x86_64.raw", qemu.Machine{KVM: true}},
		{"metal4k", "os-1-metal4k.x86_64.raw", qemu.Machine{Firmware: qemu.UEFI}},
		{"azure", "os-1-azure.x86_64.vhd", qemu.Machine{}},
		{"aws", "os-1-aws.x86_64.vmdk", qemu.Machine{}},
		{"hyperv", "os-1-hyperv.x86_64.vhdx", qemu.Machine{Firmware: qemu.UEFI}},
		{"live-iso", "os-1-live.x86_64.iso", qemu.Machine{}},
		{"live-iso, UEFI", "os-1-live.x86_64.iso", qemu.Machine{Firmware: qemu.UEFI}},
		{"live-kernel", "", qemu.Machine{}},
		{"commas", "a,b.raw", qemu.Machine{Console: "c,d", Memory: 512, CPUs: 1}},
		{"all", "os-1-qemu.x86_64.qcow2", qemu.Machine{SSHPort: 2222, NoReboot: true, Extra: []string{"-S"}}},
	}
	var all strings.Builder
	for _, tt := range machines {
		m := tt.machine
		m.Arch = "x86_64"
		args, err := m.Args(media(t, filepath.Join(dir, tt.image), tt.image == ""))
		if err != nil {
			t.Fatal(err)
		}
		line := strings.ReplaceAll(strings.Join(args, " "), dir, "DIR")
		fmt.Fprintf(&all, "# %s\n%s\n\n", tt.title, strings.ReplaceAll(line, " -", " \\\n  -"))
	}
	golden := filepath.Join("testdata", "args.golden")
	if os.Getenv("COSAFS_TEST_UPDATE") != "" {
		if err := os.WriteFile(golden, []byte(all.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), all.String()); diff != "" {
		t.Errorf("command lines (-want +got):\n%s", diff)
	}
}

// media is an empty image, or a kernel.
func media(t *testing.T, image string, kernel bool) *qemu.Media {
	t.Helper()
	var m *qemu.Media
	var err error
	if kernel {
		m, err = qemu.OpenKernel("DIR/os-1-live-kernel-x86_64", nil, []string{"console=ttyS0", "quiet"}, t.TempDir())
	} else {
		if err := os.WriteFile(image, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		m, err = qemu.Open(t.Context(), image, "")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

func TestKVMProof(t *testing.T) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		t.Skip(err)
	}
	id := strings.TrimSpace(string(boot))
	tests := []struct {
		name, text   string
		works, known bool
	}{
		{"works", `{"boot_id":"` + id + `","works":true}`, true, true},
		{"hung", `{"boot_id":"` + id + `","works":false}`, false, true},
		{"before the last start", `{"boot_id":"x","works":true}`, false, false},
		{"damaged", `{"boot`, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			works, known := qemu.KVMProof(filepath.Dir(write(t, "kvm.json", []byte(tt.text))))
			if works != tt.works || known != tt.known {
				t.Errorf("KVMProof = %v, %v; want %v, %v", works, known, tt.works, tt.known)
			}
		})
	}
	if _, known := qemu.KVMProof(t.TempDir()); known {
		t.Error("something is known of nothing")
	}
}
