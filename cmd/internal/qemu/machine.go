// Package qemu boots images for people: it finds out what an image is, builds
// qemu's command line, and runs it so that nothing of it outlives the machine.
// Nothing is written to the image, and what the machine writes goes to files
// without a name, which vanish with the last process that has them open: also
// after kill -9.
//
// It is not the appliance, which runs jobs of ours without a person watching.
package qemu

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"cosafs/materialize"
)

// op names what is being done in failures.
const op = "run"

// The firmware that a machine starts with.
const (
	BIOS = "bios"
	UEFI = "uefi"
)

// A Machine is a virtual machine that boots a [Media]. Its zero value with an
// architecture is the machine that cosa run gives.
type Machine struct {
	Arch     string   // RPM basearch: x86_64 or aarch64
	Firmware string   // BIOS or UEFI; "" = what the architecture usually has
	KVM      bool     // else the processor is emulated
	Memory   int      // MiB; 0 = 1024, 2048 where not x86_64, 4096 for a system that lives in memory
	CPUs     int      // 0 = 2
	Ignition string   // path of an Ignition configuration; "" = none
	SSHPort  int      // of 127.0.0.1, leads to the machine's port 22; 0 = none
	Console  string   // path of a file that takes the serial console; "" = standard input and output
	NoReboot bool     // a reboot ends the machine
	Extra    []string // more arguments of qemu, as they are
	TempDir  string   // where overlays lie, without a name; "" = $TMPDIR, else /var/tmp
}

// Program is qemu for the machine's architecture.
func (m *Machine) Program() string { return "qemu-system-" + m.Arch }

// Accel says for people what runs the machine's instructions.
func (m *Machine) Accel() string {
	if m.KVM {
		return "KVM"
	}
	return "emulated"
}

// Args are qemu's arguments to boot the media. Failures are of ClassConfig for
// what the machine can't be, and of ClassTool for missing firmware.
func (m *Machine) Args(media *Media) ([]string, error) {
	board, err := m.board()
	if err != nil {
		return nil, err
	}
	firmware, err := m.firmware()
	if err != nil {
		return nil, err
	}
	ignition, err := m.ignition()
	if err != nil {
		return nil, err
	}
	args := append(m.base(media), board...)
	args = append(args, media.args()...)
	args = append(append(args, ignition...), firmware...)
	return append(args, m.Extra...), nil
}

// base is what all machines have: a console, memory, processors, random
// numbers (Ignition and sshd wait for them), and user networking.
func (m *Machine) base(media *Media) []string {
	network := "user,id=net0"
	if m.SSHPort != 0 {
		network += fmt.Sprintf(",hostfwd=tcp:127.0.0.1:%d-:22", m.SSHPort)
	}
	args := []string{
		"-nodefaults", "-no-user-config", "-display", "none",
		"-m", strconv.Itoa(m.memory(media)), "-smp", strconv.Itoa(cmp.Or(m.CPUs, 2)),
		"-object", "rng-random,id=rng0,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=rng0",
		"-netdev", network, "-device", "virtio-net-pci,netdev=net0",
	}
	args = append(args, m.serial()...)
	if m.NoReboot {
		args = append(args, "-no-reboot")
	}
	return args
}

// serial is where the console leads. On a terminal Ctrl-A X ends the machine and
// Ctrl-C reaches it.
func (m *Machine) serial() []string {
	if m.Console != "" {
		return []string{"-chardev", "file,id=console,path=" + escape(m.Console), "-serial", "chardev:console"}
	}
	return []string{"-serial", "mon:stdio"}
}

// memory follows cosa run (mantle's kola qemuexec: 1024 MiB, 2048 on other
// architectures). A live system has its root in memory.
func (m *Machine) memory(media *Media) int {
	switch {
	case m.Memory != 0:
		return m.Memory
	case media.live():
		return 4096
	case m.Arch != "x86_64":
		return 2048
	}
	return 1024
}

// board is the machine type and its processor.
func (m *Machine) board() ([]string, error) {
	boards := map[string]string{"x86_64": "q35", "aarch64": "virt"}
	board, ok := boards[m.Arch]
	if !ok {
		return nil, materialize.Fail(materialize.ClassConfig, op, "--arch x86_64 or --arch aarch64",
			fmt.Errorf("machines of %s: %w", m.Arch, errors.ErrUnsupported))
	}
	if m.KVM {
		return []string{"-machine", board, "-accel", "kvm", "-cpu", "host"}, nil
	}
	return []string{"-machine", board, "-accel", "tcg,thread=multi", "-cpu", "max"}, nil
}

// ignition hands the configuration over as Ignition's platform qemu expects it
// (Ignition, docs/supported-platforms.md): that name of the firmware
// configuration device is fixed.
func (m *Machine) ignition() ([]string, error) {
	if m.Ignition == "" {
		return nil, nil
	}
	if _, err := os.Stat(m.Ignition); err != nil {
		return nil, materialize.Fail(materialize.ClassConfig, op, "name an Ignition configuration with -i FILE", err)
	}
	return []string{"-fw_cfg", "name=opt/com.coreos/config,file=" + escape(m.Ignition)}, nil
}

// escape doubles commas, which separate the parts of qemu's options.
func escape(path string) string { return strings.ReplaceAll(path, ",", ",,") }
