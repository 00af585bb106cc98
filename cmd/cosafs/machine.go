package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"cosafs/cmd/internal/daemon"
)

// A machine is a virtual machine that boots an image.
type machine struct {
	arch, image, firmware, ignition string
	memory                          int // MiB
	cpus                            int
	kvm                             bool
}

// program is qemu for the machine's architecture.
func (m machine) program() string { return "qemu-system-" + m.arch }

// accel says for people what runs the machine's instructions.
func (m machine) accel() string {
	if m.kvm {
		return "KVM"
	}
	return "emulated"
}

// args are qemu's: the disk with a throw-away overlay, the serial console on
// standard input and output, user networking.
func (m machine) args() ([]string, error) {
	disk, err := m.disk()
	if err != nil {
		return nil, err
	}
	firmware, err := m.firmwareArgs(os.Stat)
	if err != nil {
		return nil, err
	}
	args := []string{
		"-nodefaults", "-no-user-config", "-display", "none", "-serial", "mon:stdio",
		"-m", strconv.Itoa(m.memory), "-smp", strconv.Itoa(m.cpus),
		"-object", "rng-random,id=rng0,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=rng0",
		"-netdev", "user,id=net0", "-device", "virtio-net-pci,netdev=net0",
	}
	args = append(args, m.accelArgs()...)
	args = append(args, disk...)
	if m.ignition != "" {
		// The name is fixed by Ignition's qemu platform.
		args = append(args, "-fw_cfg", "name=opt/com.coreos/config,file="+escape(m.ignition))
	}
	return append(args, firmware...), nil
}

func (m machine) accelArgs() []string {
	board := "q35"
	if m.arch == "aarch64" {
		board = "virt"
	}
	if m.kvm {
		return []string{"-machine", board, "-accel", "kvm", "-cpu", "host"}
	}
	return []string{"-machine", board, "-accel", "tcg,thread=multi", "-cpu", "max"}
}

// disk is the image under a throw-away overlay. cosa's metal4k images need
// sectors of 4096 bytes.
func (m machine) disk() ([]string, error) {
	format, ok := map[string]string{".qcow2": "qcow2", ".raw": "raw"}[filepath.Ext(m.image)]
	if !ok {
		return nil, hintf(fmt.Errorf("neither .qcow2 nor .raw: %w", fs.ErrInvalid), "uncompress it first, or name another artifact")
	}
	device := "virtio-blk-pci,drive=disk0,bootindex=1"
	if strings.Contains(filepath.Base(m.image), "metal4k") {
		device += ",logical_block_size=4096,physical_block_size=4096"
	}
	drive := "if=none,id=disk0,snapshot=on,format=" + format + ",file=" + escape(m.image)
	return []string{"-drive", drive, "-device", device}, nil
}

// firmwareArgs are empty for SeaBIOS, which qemu brings. UEFI's variables are
// written to a throw-away overlay, too.
func (m machine) firmwareArgs(stat func(string) (os.FileInfo, error)) ([]string, error) {
	if m.firmware != "uefi" {
		return nil, nil
	}
	for _, f := range uefiFiles(m.arch) {
		if _, err := stat(f.code); err != nil {
			continue
		}
		if _, err := stat(f.vars); err != nil {
			continue
		}
		return []string{
			"-drive", "if=pflash,unit=0,format=raw,readonly=on,file=" + f.code,
			"-drive", "if=pflash,unit=1,format=raw,snapshot=on,file=" + f.vars,
		}, nil
	}
	return nil, hintf(fmt.Errorf("UEFI firmware: %w", fs.ErrNotExist), "%s", aptHint("ovmf"))
}

// A firmwarePair is UEFI's code and a template of its variables.
type firmwarePair struct{ code, vars string }

// uefiFiles lists where Debian and Fedora put UEFI firmware.
func uefiFiles(arch string) []firmwarePair {
	if arch == "aarch64" {
		return []firmwarePair{{"/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"}}
	}
	return []firmwarePair{
		{"/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"},
		{"/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"},
		{"/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"},
	}
}

// escape doubles commas, which separate qemu's options.
func escape(path string) string { return strings.ReplaceAll(path, ",", ",,") }

// kvmProof says whether the appliance found KVM to work since this machine was
// started, and whether it has tried. It reads what the appliance remembers.
func kvmProof(workdir string) (works, known bool) {
	data, err := os.ReadFile(filepath.Join(daemon.StateDir(workdir), "appliance", "kvm.json"))
	boot, bootErr := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if errors.Join(err, bootErr) != nil {
		return false, false
	}
	var proof struct {
		Boot  string `json:"boot_id"`
		Works bool   `json:"works"`
	}
	if json.Unmarshal(data, &proof) != nil || proof.Boot != strings.TrimSpace(string(boot)) {
		return false, false
	}
	return proof.Works, true
}
