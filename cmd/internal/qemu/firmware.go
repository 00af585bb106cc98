package qemu

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"cosafs/materialize"
)

// A firmwarePair is UEFI's code and a template of its variables.
type firmwarePair struct{ code, vars string }

// uefiFiles lists where Debian and Fedora put UEFI firmware, and Debian's
// package of it.
func uefiFiles(arch string) (files []firmwarePair, pkg string) {
	if arch == "aarch64" {
		return []firmwarePair{
			{"/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"},
			{"/usr/share/edk2/aarch64/QEMU_EFI-pflash.raw", "/usr/share/edk2/aarch64/vars-template-pflash.raw"},
		}, "qemu-efi-aarch64"
	}
	return []firmwarePair{
		{"/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"},
		{"/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"},
		{"/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"},
	}, "ovmf"
}

// firmware is no argument for SeaBIOS, which qemu brings. UEFI's variables are
// written to a throw-away overlay.
func (m *Machine) firmware() ([]string, error) {
	uefi, err := m.wantsUEFI()
	if !uefi || err != nil {
		return nil, err
	}
	files, pkg := uefiFiles(m.Arch)
	for _, f := range files {
		if exists(f.code) && exists(f.vars) {
			return []string{
				"-drive", "if=pflash,unit=0,format=raw,readonly=on,file=" + f.code,
				"-drive", "if=pflash,unit=1,format=raw,snapshot=on,file=" + f.vars,
			}, nil
		}
	}
	return nil, materialize.Fail(materialize.ClassTool, op, "apt-get install "+pkg, fmt.Errorf("UEFI firmware: %w", fs.ErrNotExist))
}

// wantsUEFI says which firmware it is; only x86_64 has a BIOS.
func (m *Machine) wantsUEFI() (bool, error) {
	switch {
	case m.Firmware == UEFI, m.Firmware == "" && m.Arch == "aarch64":
		return true, nil
	case m.Firmware == BIOS && m.Arch == "aarch64":
		return false, materialize.Fail(materialize.ClassConfig, op, "--firmware uefi", fmt.Errorf("BIOS on %s: %w", m.Arch, errors.ErrUnsupported))
	case m.Firmware == BIOS, m.Firmware == "":
		return false, nil
	}
	return false, materialize.Fail(materialize.ClassConfig, op, "--firmware bios or --firmware uefi",
		fmt.Errorf("firmware %q: %w", m.Firmware, fs.ErrInvalid))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
