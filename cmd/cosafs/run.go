package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"cosafs/cmd/internal/daemon"
	"cosafs/cmd/internal/qemu"
	"cosafs/cmd/internal/workdir"
)

// runOptions are cosafs run's.
type runOptions struct {
	image   string // kind, path of a file or of the tree, URL
	build   string
	kargs   []string
	machine qemu.Machine
}

func (p *program) runCommand() *cli.Command {
	return &cli.Command{
		Name:      "run",
		Usage:     "boot an image, with its console here",
		ArgsUsage: "[KIND|PATH|URL]",
		Description: "KIND is an artifact of the build, such as azure, which is made if it isn't there; live-kernel\n" +
			"boots with initramfs and rootfs, as from the network. PATH is an image, also of a mount, packed\n" +
			"or in an OVA; of a URL the parts are read that the machine reads. Without one it is the qemu\n" +
			"image. What the machine writes is thrown away at its end. Ctrl-A X ends it.",
		Flags: runFlags(),
		Action: func(c *cli.Context) error {
			o, err := p.runOptions(c)
			if err != nil {
				return err
			}
			return p.run(c.Context, o)
		},
	}
}

func runFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "build", Aliases: []string{"b"}, Value: "latest", Usage: "`BUILD` whose image is booted"},
		&cli.StringFlag{Name: "qemu-image", Usage: "the `IMAGE` as an option, which is cosa's spelling"},
		&cli.StringFlag{Name: "firmware", Aliases: []string{"qemu-firmware"}, Usage: "boot with `FIRMWARE`: bios or uefi", DefaultText: "bios, uefi on aarch64"},
		&cli.IntFlag{Name: "memory", Aliases: []string{"m"}, Usage: "memory in `MIB`", DefaultText: "1024, 2048 on aarch64, 4096 for live images"},
		&cli.IntFlag{Name: "cpus", Value: 2, Usage: "`N` processors"},
		&cli.StringFlag{Name: "ignition", Aliases: []string{"i"}, Usage: "Ignition configuration `FILE`; systems of platform qemu take it"},
		&cli.GenericFlag{Name: "kargs", Value: &repeated{}, Usage: "`ARGUMENTS` of the kernel, of live-kernel only; may be given again"},
		&cli.IntFlag{Name: "ssh-port", Usage: "`PORT` of 127.0.0.1 leads to the machine's ssh; 0 is a free one, which is told", DefaultText: "none"},
		&cli.StringFlag{Name: "console", Usage: "the serial console is written to `FILE`, not here"},
		&cli.BoolFlag{Name: "no-reboot", Usage: "a reboot ends the machine"},
		&cli.GenericFlag{Name: "qemu-arg", Value: &repeated{}, Usage: "one more `ARGUMENT` of qemu, as it is; may be given again"},
	}
}

// repeated are the values of an option that may be given again, and hold commas.
type repeated []string

// Set implements [cli.Generic].
func (w *repeated) Set(value string) error {
	*w = append(*w, value)
	return nil
}

// String implements [cli.Generic].
func (w *repeated) String() string { return strings.Join(*w, " ") }

// runOptions reads the command line.
func (p *program) runOptions(c *cli.Context) (o runOptions, err error) {
	if err := wantArgs(c, 0, 1); err != nil {
		return o, err
	}
	o = runOptions{image: c.String("qemu-image"), build: c.String("build"), kargs: strings.Fields(givenAll(c, "kargs").String())}
	if arg := c.Args().First(); arg != "" {
		o.image = arg
	}
	o.machine = qemu.Machine{
		Arch: p.arch(), Firmware: c.String("firmware"), Memory: c.Int("memory"), CPUs: c.Int("cpus"),
		Ignition: c.String("ignition"), Console: c.String("console"), NoReboot: c.Bool("no-reboot"),
		Extra: *givenAll(c, "qemu-arg"), TempDir: p.tempDir(),
	}
	if f := o.machine.Firmware; f != "" && f != qemu.BIOS && f != qemu.UEFI {
		return o, usagef("run", "run: unknown firmware %q", f)
	}
	if o.machine.Memory < 0 || o.machine.CPUs < 1 {
		return o, usagef("run", "run: a machine has memory and a processor at least")
	}
	if c.IsSet("ssh-port") {
		o.machine.SSHPort, err = port(c.Context, c.Int("ssh-port"))
	}
	return o, err
}

// givenAll gives the values of an option.
func givenAll(c *cli.Context, name string) *repeated {
	if w, ok := c.Generic(name).(*repeated); ok {
		return w
	}
	return &repeated{}
}

// port gives n, or a free port for 0: it may be taken before qemu has it, which
// then says so.
func port(ctx context.Context, n int) (int, error) {
	if n < 0 || n > 65535 {
		return 0, usagef("run", "run: --ssh-port %d is no port", n)
	}
	if n != 0 {
		return n, nil
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer func() { _ = l.Close() }() // nobody came
	if addr, ok := l.Addr().(*net.TCPAddr); ok {
		return addr.Port, nil
	}
	return 0, fmt.Errorf("find a free port: %s: %w", l.Addr(), fs.ErrInvalid)
}

// tempDir is the build directory's, which has room for images; "" where there
// is none.
func (p *program) tempDir() string {
	dir := filepath.Join(p.cfg.Workdir, "tmp")
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return ""
	}
	return dir
}

// run boots the image and returns when the machine ends.
func (p *program) run(ctx context.Context, o runOptions) (err error) {
	media, err := p.media(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, media.Close()) }()
	m := o.machine
	m.KVM = p.useKVM()
	if m.Ignition != "" && !strings.Contains(filepath.Base(media.Name), "qemu") && !isLive(o.image) {
		p.talk("note: Ignition takes %s if the image's platform is qemu", m.Ignition)
	}
	if m.SSHPort != 0 {
		p.talk("ssh -p %d core@127.0.0.1", m.SSHPort)
	}
	p.talk("Booting %s (%s). %s", media.Name, m.Accel(), howToEnd(m))
	return m.Run(ctx, media, qemu.Streams{In: p.stdin, Out: p.stdout, Err: p.stderr, Env: p.environ()})
}

// howToEnd says what a person presses.
func howToEnd(m qemu.Machine) string {
	if m.Console != "" {
		return "Ctrl-C ends it."
	}
	return "Ctrl-A X ends it."
}

// useKVM says whether KVM is used. A /dev/kvm may open and yet hang every real
// kernel, so auto uses it only where the appliance has proven it since the
// computer was started.
func (p *program) useKVM() bool {
	switch {
	case p.cfg.KVM == "on":
		return true
	case p.cfg.KVM == "off" || p.getenv("COSA_NO_KVM") != "" || p.arch() != workdir.Basearch():
		return false
	}
	works, known := kvmProof(p.cfg.Workdir)
	if !known {
		p.talk("KVM is not proven to work here, so this is slow. --kvm on uses it; so does run after a build that proved it.")
	}
	return works
}

// kvmProof asks what the build directory's appliance has found out.
func kvmProof(workdir string) (works, known bool) {
	return qemu.KVMProof(filepath.Join(daemon.StateDir(workdir), "appliance"))
}

// aptHint is the command that installs packages.
func aptHint(packages ...string) string { return "apt-get install " + strings.Join(packages, " ") }
