package tinyos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// ErrNoMarker means that the virtual machine ended, or its time did, before
// [Marker] was seen on its console.
var ErrNoMarker = errors.New("the marker did not appear on the console")

// A BootConfig says what to boot, and on which machine.
type BootConfig struct {
	// Disk is an image; nothing is written to it. Empty = no disk.
	Disk   string
	Format string // qemu's name: raw, qcow2, vpc, vmdk; empty = raw
	// Sector is the disk's logical sector size in bytes; 0 = 512.
	Sector int
	// CDROM is an ISO image in a virtio-scsi drive, tried when there is no disk.
	CDROM string
	// Kernel, Initrd and Append boot without a boot loader.
	Kernel, Initrd, Append string
	// UEFI takes OVMF instead of SeaBIOS.
	UEFI bool
	// Timeout is how long to wait for the marker; 0 = 3 minutes, enough for an
	// emulated processor on a busy host.
	Timeout time.Duration
}

// noTimer is the panic of a kernel whose emulated timer stood still while it looked: its
// host was busy.
var noTimer = []byte("IO-APIC + timer doesn't work")

// Boot starts a virtual machine with an emulated processor, waits for the
// marker and ends it. It gives all that the serial console printed, also with
// an error. A busy host gets a second chance.
func Boot(ctx context.Context, cfg BootConfig) ([]byte, error) {
	console, err := boot(ctx, cfg)
	if err != nil && bytes.Contains(console, noTimer) {
		return boot(ctx, cfg)
	}
	return console, err
}

func boot(ctx context.Context, cfg BootConfig) ([]byte, error) {
	if cfg.Timeout == 0 {
		cfg.Timeout = 3 * time.Minute
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.Timeout)
	defer cancel()
	scratch, err := os.MkdirTemp("", "tinyos-boot-")
	if err != nil {
		return nil, fmt.Errorf("boot: %w", err)
	}
	defer func() { _ = os.RemoveAll(scratch) }() // only a copy of the firmware's variables
	args, err := cfg.args(scratch)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64", args...)
	cmd.WaitDelay = time.Second
	return watch(ctx, cmd)
}

// args is qemu's command line.
func (cfg BootConfig) args(scratch string) ([]string, error) {
	args := []string{
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-nic", "none", "-serial", "stdio",
		"-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "1024",
		"-object", "rng-random,filename=/dev/urandom,id=rng", "-device", "virtio-rng-pci,rng=rng",
	}
	if cfg.Disk != "" {
		args = append(args, cfg.disk()...)
	}
	if cfg.CDROM != "" {
		args = append(args,
			"-drive", "file="+cfg.CDROM+",format=raw,if=none,id=cd,media=cdrom,readonly=on",
			"-device", "virtio-scsi-pci,id=scsi", "-device", "scsi-cd,drive=cd,bus=scsi.0,bootindex=2")
	}
	if cfg.Kernel != "" {
		args = append(args, "-kernel", cfg.Kernel, "-initrd", cfg.Initrd, "-append", cfg.Append)
	}
	if !cfg.UEFI {
		return append(args, "-machine", "pc"), nil
	}
	firmware, err := ovmf(scratch)
	return append(args, firmware...), err
}

// disk attaches the disk; its writes go to a temporary file.
func (cfg BootConfig) disk() []string {
	format := cfg.Format
	if format == "" {
		format = "raw"
	}
	device := "virtio-blk-pci,drive=disk,bootindex=1"
	if cfg.Sector != 0 {
		n := strconv.Itoa(cfg.Sector)
		device += ",logical_block_size=" + n + ",physical_block_size=" + n
	}
	return []string{
		"-drive", "file=" + cfg.Disk + ",format=" + format + ",if=none,id=disk,snapshot=on,cache=unsafe", "-device", device,
	}
}

// ovmf gives the options for UEFI, with a private copy of its variables.
func ovmf(scratch string) ([]string, error) {
	const dir = "/usr/share/OVMF/"
	b, err := os.ReadFile(dir + "OVMF_VARS_4M.fd")
	if err != nil {
		return nil, fmt.Errorf("boot: UEFI firmware (Debian's package ovmf): %w", err)
	}
	vars := filepath.Join(scratch, "vars.fd")
	if err := os.WriteFile(vars, b, 0o600); err != nil {
		return nil, fmt.Errorf("boot: %w", err)
	}
	return []string{
		"-machine", "q35",
		"-drive", "if=pflash,format=raw,readonly=on,file=" + dir + "OVMF_CODE_4M.fd", "-drive", "if=pflash,format=raw,file=" + vars,
	}, nil
}

// watch runs a machine until its console shows the marker.
func watch(ctx context.Context, cmd *exec.Cmd) ([]byte, error) {
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("boot: %w", err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("boot: %w", err)
	}
	console, found := readUntil(out, []byte(Marker))
	if found {
		_ = cmd.Process.Kill() // it did what it was for
	}
	_ = cmd.Wait() // "signal: killed" when found; else see exit
	exit := cmd.ProcessState.String()
	switch {
	case found:
		return console, nil
	case ctx.Err() != nil:
		return console, fmt.Errorf("boot: %w: %w", ErrNoMarker, context.Cause(ctx))
	default:
		return console, fmt.Errorf("boot: %w: qemu ended: %s %s", ErrNoMarker, exit, bytes.TrimSpace(stderr.Bytes()))
	}
}

// readUntil reads until mark was seen or the stream ends.
func readUntil(r io.Reader, mark []byte) (all []byte, found bool) {
	buf := make([]byte, 4096)
	for {
		n, err := r.Read(buf)
		all = append(all, buf[:n]...)
		if bytes.Contains(all, mark) {
			return all, true
		}
		if err != nil {
			return all, false
		}
	}
}
