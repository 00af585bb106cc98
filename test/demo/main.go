// Command demo shows cosafs at work, from nothing: it makes a small OS, mounts
// an empty build directory, opens an image that exists nowhere, boots what came
// to exist, and opens it once more. It leaves everything in place for a look.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"cosafs/test/tinyos"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// demo is one run of the demonstration.
type demo struct {
	cosafs string // the program
	dir    string
	out    io.Writer
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	cosafs := flags.String("cosafs", "bin/cosafs", "the program")
	dir := flags.String("dir", "demo", "where to work")
	if err := flags.Parse(args); err != nil {
		return err
	}
	d := &demo{out: out}
	var err1, err2 error
	d.cosafs, err1 = filepath.Abs(*cosafs)
	d.dir, err2 = filepath.Abs(*dir)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{d.prepare, d.mount, d.open, d.boot, d.openAgain, d.lookAround} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) work() string  { return filepath.Join(d.dir, "work") }
func (d *demo) mnt() string   { return filepath.Join(d.dir, "mnt") }
func (d *demo) image() string { return filepath.Join(d.mnt(), "next", "x86_64", "qemu.qcow2") }

// prepare makes the OS and the working directory, unless an earlier run did.
func (d *demo) prepare(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(d.work(), "src", "config")); err == nil {
		d.say("using %s of an earlier run; make clean starts afresh", d.work())
		return nil
	}
	d.say("making a small OS out of Debian packages")
	if err := tinyos.Make(ctx, tinyos.Config{Dir: filepath.Join(d.dir, "os")}, d.out); err != nil {
		return err
	}
	return d.cosa(ctx, "--workdir", d.work(), "init", filepath.Join(d.dir, "os", "config"))
}

func (d *demo) mount(ctx context.Context) error {
	if err := os.MkdirAll(d.mnt(), 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		d.say("clearing a dead mount: %v", err)
	}
	if err := d.cosa(ctx, "mount", "--workdir", d.work(), d.mnt()); err != nil {
		return err
	}
	return d.sh(ctx, "ls", "-l", d.mnt())
}

// open opens the missing image, with the daemon's progress shown beside it.
func (d *demo) open(ctx context.Context) error {
	d.say("$ qemu-img info %s   # the image exists nowhere yet", d.image())
	watch, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(watch, d.cosafs, "--workdir", d.work(), "status", "--watch")
	cmd.Stdout, cmd.Stderr = d.out, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 2 * time.Second
	if err := cmd.Start(); err != nil {
		cancel()
		return err
	}
	began := time.Now()
	info, err := exec.CommandContext(ctx, "qemu-img", "info", d.image()).CombinedOutput()
	took := time.Since(began)
	cancel()
	_ = cmd.Wait() // ended by our own interrupt
	d.print("\n%s", info)
	if err != nil {
		return fmt.Errorf("open the image: %w", err)
	}
	d.say("composed, written and opened in %s", took.Round(100*time.Millisecond))
	return nil
}

// boot starts the image and compares what its console says with meta.json.
func (d *demo) boot(ctx context.Context) error {
	b, err := os.ReadFile(filepath.Join(d.mnt(), "latest", "x86_64", "meta.json"))
	if err != nil {
		return err
	}
	var meta struct {
		Commit string `json:"ostree-commit"`
		ID     string `json:"buildid"`
	}
	if err := json.Unmarshal(b, &meta); err != nil {
		return err
	}
	d.say("booting build %s under qemu, through the mount", meta.ID)
	console, err := tinyos.Boot(ctx, tinyos.BootConfig{Disk: filepath.Join(d.mnt(), "latest", "x86_64", "qemu.qcow2"), Format: "qcow2"})
	d.print("%s\n", tail(console, 12))
	if err != nil {
		return err
	}
	return d.compare(console, meta.Commit)
}

var deployment = regexp.MustCompile(`tinyos: deployment ([0-9a-f]{64})`)

func (d *demo) compare(console []byte, commit string) error {
	m := deployment.FindSubmatch(console)
	if m == nil {
		return errors.New("the console names no ostree deployment")
	}
	if string(m[1]) != commit {
		return fmt.Errorf("the machine booted %s, but meta.json's ostree-commit is %s", m[1], commit)
	}
	d.say("the console's ostree deployment is meta.json's ostree-commit: %s", commit)
	return nil
}

func (d *demo) openAgain(ctx context.Context) error {
	began := time.Now()
	if err := exec.CommandContext(ctx, "qemu-img", "info", d.image()).Run(); err != nil {
		return err
	}
	d.say("the second open took %s", time.Since(began).Round(time.Millisecond))
	return nil
}

func (d *demo) lookAround(ctx context.Context) error {
	if err := d.cosa(ctx, "--workdir", d.work(), "list"); err != nil {
		return err
	}
	if err := d.sh(ctx, "ls", "-lR", filepath.Join(d.mnt(), "latest")+"/"); err != nil {
		return err
	}
	d.say("look around: %s (builds), %s (the working directory); %s umount %s ends it", d.mnt(), d.work(), d.cosafs, d.mnt())
	return nil
}

// cosa runs the program as a user would.
func (d *demo) cosa(ctx context.Context, args ...string) error { return d.sh(ctx, d.cosafs, args...) }

func (d *demo) sh(ctx context.Context, name string, args ...string) error {
	d.say("$ %s %s", filepath.Base(name), strings.Join(args, " "))
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = d.out, os.Stderr
	return cmd.Run()
}

func (d *demo) say(format string, args ...any) { d.print("\n\x1b[1m"+format+"\x1b[0m\n", args...) }

func (d *demo) print(format string, args ...any) {
	_, _ = fmt.Fprintf(d.out, format, args...) // nobody who watches, nothing to show
}

// tail gives the last lines of a console, without its carriage returns.
func tail(console []byte, n int) string {
	lines := strings.Split(strings.TrimSpace(string(bytes.ReplaceAll(console, []byte("\r"), nil))), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
