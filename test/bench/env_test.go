package bench

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"cosafs/test/need"
	"cosafs/test/tinyos"
)

// shared is what all benchmarks of one run use; see TestMain.
var shared struct {
	dir    string // deleted at the end
	report report
}

func TestMain(m *testing.M) {
	code, err := runAll(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func runAll(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "cosafs-bench-")
	if err != nil {
		return 1, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // temporary anyway
	shared.dir = dir
	code := m.Run()
	return code, shared.report.print(os.Stdout)
}

// needTools asks for tools, and for the patience to use them.
func needTools(tb testing.TB, tools ...string) {
	tb.Helper()
	if testing.Short() {
		tb.Skip("short: this takes minutes")
	}
	need.Tool(tb, tools...)
}

func needAll(tb testing.TB) {
	tb.Helper()
	needTools(tb, "root", "fuse", "dnf", "ostree", "supermin", "qemu-system-x86_64", "git")
}

// The program and the OS are made once a run.
var makeProgram, makeOS sync.Once

// program gives the path of cosafs, built as make build does.
func program(tb testing.TB) string {
	tb.Helper()
	path := filepath.Join(shared.dir, "cosafs")
	makeProgram.Do(func() {
		build := exec.CommandContext(tb.Context(), "go", "build", "-trimpath", "-o", path, "cosafs/cmd/cosafs")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			tb.Fatalf("build cosafs: %v: %s", err, out)
		}
	})
	return path
}

// config gives the configuration of an OS whose packages are there.
func config(tb testing.TB) string {
	tb.Helper()
	dir := filepath.Join(shared.dir, "os")
	makeOS.Do(func() {
		var log bytes.Buffer
		if err := tinyos.Make(tb.Context(), tinyos.Config{Dir: dir}, &log); err != nil {
			tb.Fatalf("make the OS: %v\n%s", err, log.String())
		}
	})
	return filepath.Join(dir, "config")
}

// A bench is a directory for one measurement and how programs are run there.
type bench struct {
	testing.TB
	dir  string
	env  []string
	cost cost // cpu of all programs that were run
}

func newBench(tb testing.TB) *bench {
	tb.Helper()
	dir := tb.TempDir()
	run := filepath.Join(dir, "run")
	if err := os.Mkdir(run, 0o700); err != nil {
		tb.Fatal(err)
	}
	// Emulation on both sides: KVM would hide what cosafs costs.
	return &bench{TB: tb, dir: dir, env: append(os.Environ(), "XDG_RUNTIME_DIR="+run, "COSA_NO_KVM=1")}
}

// run runs a program that must succeed and gives its standard output.
func (b *bench) run(name string, args ...string) string {
	b.Helper()
	// A cleanup runs programs too, when the context has ended.
	cmd := exec.CommandContext(context.WithoutCancel(b.Context()), name, args...)
	cmd.Env = b.env
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if err != nil {
		b.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, stdout.String(), stderr.String())
	}
	b.cost.cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return stdout.String()
}

// remove deletes the directory early: a run makes a dozen disks.
func (b *bench) remove() {
	b.Helper()
	if err := os.RemoveAll(b.dir); err != nil {
		b.Fatal(err)
	}
}
