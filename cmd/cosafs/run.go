package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"cosafs/vfs/webui"
)

// qemuGrace is how long qemu has to end after SIGTERM before it is killed.
const qemuGrace = 5 * time.Second

// runOptions are cosafs run's.
type runOptions struct {
	image    string // path of the image, or of the tree; "" = of build
	build    string
	firmware string
	memory   int // MiB
	cpus     int
	ignition string
}

func (p *program) runCommand() *cli.Command {
	return &cli.Command{
		Name:      "run",
		Usage:     "boot an image, with its console here",
		ArgsUsage: "[IMAGE|PATH]",
		Description: "IMAGE is a .qcow2 or .raw file, PATH one of the tree; without one it is the qemu image of\n" +
			"the newest build, which is made if it isn't there. What the machine writes is thrown away\n" +
			"at its end. Ctrl-A X ends it.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "build", Aliases: []string{"b"}, Value: "latest", Usage: "`BUILD` whose image is booted"},
			&cli.StringFlag{Name: "qemu-image", Usage: "the `IMAGE` as an option, which is cosa's spelling"},
			&cli.StringFlag{Name: "firmware", Aliases: []string{"qemu-firmware"}, Value: "bios", Usage: "boot with `FIRMWARE`: bios or uefi"},
			&cli.IntFlag{Name: "memory", Aliases: []string{"m"}, Value: 1024, Usage: "memory in `MIB`"},
			&cli.IntFlag{Name: "cpus", Value: 2, Usage: "`N` processors"},
			&cli.StringFlag{Name: "ignition", Aliases: []string{"i"}, Usage: "Ignition configuration `FILE`"},
		},
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, 0, 1); err != nil {
				return err
			}
			o := runOptions{
				image: c.String("qemu-image"), build: c.String("build"), firmware: c.String("firmware"),
				memory: c.Int("memory"), cpus: c.Int("cpus"), ignition: c.String("ignition"),
			}
			if arg := c.Args().First(); arg != "" {
				o.image = arg
			}
			if o.firmware != "bios" && o.firmware != "uefi" {
				return usagef("run", "run: unknown firmware %q", o.firmware)
			}
			return p.run(c.Context, o)
		},
	}
}

// run boots the image and returns when the machine ends.
func (p *program) run(ctx context.Context, o runOptions) error {
	image, err := p.findImage(ctx, o)
	if err != nil {
		return err
	}
	m := machine{
		arch: p.arch(), image: image, firmware: o.firmware, memory: o.memory, cpus: o.cpus,
		ignition: o.ignition, kvm: p.useKVM(),
	}
	args, err := m.args()
	if err != nil {
		return fmt.Errorf("run %s: %w", image, err)
	}
	p.talk("Booting %s (%s). Ctrl-A X ends it.", image, m.accel())
	return p.qemu(ctx, m.program(), args)
}

// findImage gives the path of the image to boot: a file of this machine as it
// is, a path of the tree made real.
func (p *program) findImage(ctx context.Context, o runOptions) (string, error) {
	if info, err := os.Stat(o.image); err == nil && info.Mode().IsRegular() {
		return filepath.Abs(o.image)
	}
	path := o.image
	if path == "" {
		path = o.build + "/" + p.arch() + "/qemu.qcow2"
	}
	var real string
	err := p.service(ctx, func(s webui.Service) error {
		res, err := p.materialise(ctx, s, path)
		real = res.Path
		return err
	})
	return real, err
}

// useKVM says whether KVM is used. A /dev/kvm may open and yet hang every real
// kernel, so auto uses it only where the appliance has proven it since the
// machine was started.
func (p *program) useKVM() bool {
	switch {
	case p.cfg.KVM == "on":
		return true
	case p.cfg.KVM == "off" || p.getenv("COSA_NO_KVM") != "":
		return false
	}
	works, known := kvmProof(p.cfg.Workdir)
	if !known {
		p.talk("KVM is not proven to work here, so this is slow. --kvm on uses it; so does run after a build that proved it.")
	}
	return works
}

// qemu runs the machine with its console on our streams. It has no file that
// outlives it: qemu deletes its overlay's name as soon as it is open.
func (p *program) qemu(ctx context.Context, program string, args []string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = p.stdin, p.stdout, p.stderr
	cmd.Env = p.environ()
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = qemuGrace
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return hintf(fmt.Errorf("run: %s: %w", program, err), "cosafs doctor says what is missing; %s", aptHint("qemu-system-x86"))
	}
	return nil
}

// aptHint is the command that installs packages.
func aptHint(packages ...string) string { return "apt-get install " + strings.Join(packages, " ") }
