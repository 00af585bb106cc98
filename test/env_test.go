package test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cosafs/test/need"
	"cosafs/test/tinyos"
)

// shared is what all tests of one run use: the program, the OS and a build of it.
// The first test that needs one of them makes it.
var shared struct {
	sync.Mutex        // held while one is made
	dir        string // deleted at the end
	cosafs     string // the program
	os         string // tinyos.Config.Dir
}

func TestMain(m *testing.M) {
	code, err := runTests(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func runTests(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "cosafs-test-")
	if err != nil {
		return 1, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // temporary anyway
	shared.dir, shared.cosafs, shared.os = dir, filepath.Join(dir, "bin", "cosafs"), filepath.Join(dir, "os")
	return m.Run(), nil
}

// buildProgram builds the program once a run, as make build does.
func buildProgram(tb testing.TB) {
	tb.Helper()
	shared.Lock()
	defer shared.Unlock()
	if absent(shared.cosafs) == "" {
		return
	}
	build := exec.CommandContext(tb.Context(), "go", "build", "-trimpath", "-o", shared.cosafs, "cosafs/cmd/cosafs")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		tb.Fatalf("build cosafs: %v: %s", err, out)
	}
}

// needTools asks for tools, and for the patience to use them.
func needTools(tb testing.TB, tools ...string) {
	tb.Helper()
	if testing.Short() {
		tb.Skip("short: this test composes and starts virtual machines")
	}
	need.Tool(tb, tools...)
}

func absent(path string) string {
	if _, err := os.Stat(path); err != nil {
		return err.Error()
	}
	return ""
}

// needAll is what building an image takes.
func needAll(tb testing.TB) {
	tb.Helper()
	needTools(tb, "root", "fuse", "dnf", "ostree", "supermin", "qemu-system-x86_64", "git")
}

// makeOS makes the OS once a run.
func makeOS(tb testing.TB) string {
	tb.Helper()
	shared.Lock()
	defer shared.Unlock()
	if _, err := os.Stat(filepath.Join(shared.os, "config")); err == nil {
		return shared.os
	}
	var log bytes.Buffer
	if err := tinyos.Make(tb.Context(), tinyos.Config{Dir: shared.os}, &log); err != nil {
		tb.Fatalf("make the OS: %v\n%s", err, log.String())
	}
	return shared.os
}

// An env is one working directory with its own copy of the configuration.
type env struct {
	testing.TB
	dir     string
	work    string
	mnt     string
	os      string // holds config/; its repository is the shared one
	environ []string
}

// newEnv makes a working directory. Appliances are shared by all of a run: they
// are cached by their inputs.
func newEnv(tb testing.TB) *env {
	tb.Helper()
	buildProgram(tb)
	dir := tb.TempDir()
	e := &env{TB: tb, dir: dir, work: filepath.Join(dir, "work"), mnt: filepath.Join(dir, "mnt"), os: filepath.Join(dir, "os")}
	e.environ = append(os.Environ(), "XDG_RUNTIME_DIR="+filepath.Join(dir, "run"), "COSA_NO_KVM=1", "COSAFS_LINGER=100ms")
	e.mkdir(e.mnt, e.os, filepath.Join(dir, "run"))
	e.sh("cp", "-a", filepath.Join(makeOS(tb), "config"), e.os)
	e.cosafs("init", filepath.Join(e.os, "config"))
	appliances := filepath.Join(shared.dir, "appliance")
	e.mkdir(appliances, filepath.Join(e.work, "cache", "cosafs"))
	if err := os.Symlink(appliances, filepath.Join(e.work, "cache", "cosafs", "appliance")); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(e.explain)
	return e
}

// explain says of a test that failed what became of its jobs.
func (e *env) explain() {
	if !e.Failed() {
		return
	}
	failures, err := filepath.Glob(filepath.Join(e.work, "cache", "cosafs", "failures", "*.json"))
	e.Logf("failed jobs: %q %v", failures, err)
	for _, path := range failures {
		b, err := os.ReadFile(path)
		e.Logf("%s %v", b, err)
	}
}

func (e *env) mkdir(dirs ...string) {
	e.Helper()
	for _, d := range dirs {
		if err := os.MkdirAll(d, 0o755); err != nil {
			e.Fatal(err)
		}
	}
}

// command is a program run in the environment.
func (e *env) command(name string, args ...string) *exec.Cmd {
	return e.commandContext(e.Context(), name, args...)
}

func (e *env) commandContext(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env, cmd.Dir = e.environ, e.dir
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// sh runs a program that must succeed and gives its standard output.
func (e *env) sh(name string, args ...string) string {
	e.Helper()
	out, stderr, err := e.try(name, args...)
	if err != nil {
		e.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, stderr)
	}
	return out
}

// try runs a program that may fail.
func (e *env) try(name string, args ...string) (stdout, stderr string, err error) {
	cmd := e.command(name, args...)
	var o, x bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &x
	err = cmd.Run()
	return o.String(), x.String(), err
}

// cosafs runs the program on the working directory; it must succeed.
func (e *env) cosafs(args ...string) string {
	e.Helper()
	return e.sh(shared.cosafs, append([]string{"--workdir", e.work}, args...)...)
}

// refused runs the program, which must fail, and gives what it says.
func (e *env) refused(args ...string) string {
	e.Helper()
	out, stderr, err := e.try(shared.cosafs, append([]string{"--workdir", e.work}, args...)...)
	if err == nil {
		e.Fatalf("cosafs %s succeeded: %s", strings.Join(args, " "), out)
	}
	return stderr
}

// mount mounts the working directory until the test ends.
func (e *env) mount() {
	e.Helper()
	e.cosafs("mount", e.mnt)
	e.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(e.Context()), time.Minute)
		defer cancel()
		if out, err := e.commandContext(ctx, shared.cosafs, "umount", e.mnt).CombinedOutput(); err != nil && e.mounted() {
			e.Errorf("umount: %v: %s", err, out)
		}
	})
}

func (e *env) mounted() bool {
	b, err := os.ReadFile("/proc/self/mountinfo")
	return err == nil && strings.Contains(string(b), " "+e.mnt+" ")
}

// path is a path below the mount.
func (e *env) path(parts ...string) string {
	return filepath.Join(append([]string{e.mnt}, parts...)...)
}

// meta reads a build's meta.json from the working directory.
func (e *env) meta(build string) meta {
	e.Helper()
	var m meta
	b, err := os.ReadFile(filepath.Join(e.work, "builds", build, "x86_64", "meta.json"))
	if err != nil {
		e.Fatal(err)
	}
	if err := json.Unmarshal(b, &m); err != nil {
		e.Fatal(err)
	}
	return m
}

type meta struct {
	ID      string `json:"buildid"`
	Commit  string `json:"ostree-commit"`
	Content string `json:"ostree-content-checksum"`
	Images  map[string]struct {
		Path               string `json:"path"`
		SHA256             string `json:"sha256"`
		UncompressedSHA256 string `json:"uncompressed-sha256"`
		Size               int64  `json:"size"`
	} `json:"images"`
}

// builds lists builds.json, newest first.
func (e *env) builds() []string {
	e.Helper()
	b, err := os.ReadFile(filepath.Join(e.work, "builds", "builds.json"))
	if err != nil {
		e.Fatal(err)
	}
	var list struct {
		Builds []struct{ ID string }
	}
	if err := json.Unmarshal(b, &list); err != nil {
		e.Fatal(err)
	}
	ids := []string{}
	for _, build := range list.Builds {
		ids = append(ids, build.ID)
	}
	return ids
}

func (e *env) latest() string {
	e.Helper()
	id, err := os.Readlink(filepath.Join(e.work, "builds", "latest"))
	if err != nil {
		e.Fatal(err)
	}
	return id
}

// jobs gives the program's view of jobs.
func (e *env) jobs() []job {
	e.Helper()
	var st struct{ Jobs []job }
	out := e.cosafs("--json", "status")
	if err := json.Unmarshal([]byte(out), &st); err != nil {
		e.Fatalf("status: %v: %s", err, out)
	}
	return st.Jobs
}

type job struct {
	ID, Title, State, Phase, Error string
	Waiters                        int
}

// jobFolders counts all jobs there ever were, those that ended included.
func (e *env) jobFolders() int {
	e.Helper()
	entries, err := os.ReadDir(filepath.Join(e.work, "cache", "cosafs", "jobs"))
	if err != nil && !os.IsNotExist(err) {
		e.Fatal(err)
	}
	return len(entries)
}

// eventually waits until ok says so; it looks ten times a second.
func (e *env) eventually(what string, limit time.Duration, ok func() bool) {
	e.Helper()
	ctx, cancel := context.WithTimeout(e.Context(), limit)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			e.Fatalf("not within %s: %s", limit, what)
		}
	}
}

// nothingLeft checks that no virtual machine, mount or scratch of the working
// directory is left behind.
func (e *env) nothingLeft() {
	e.Helper()
	e.eventually("nothing left behind", 15*time.Second, func() bool { return e.leftovers() == "" })
}

// machines lists the virtual machines that work with the test's files; "" if none does.
func (e *env) machines() string {
	e.Helper()
	out, _, _ := e.try("pgrep", "-af", "qemu-system.*"+e.dir) // exit 1: none
	return out
}

func (e *env) leftovers() string {
	out := e.machines()
	scratch, err := os.ReadDir(filepath.Join(e.work, "tmp", "cosafs"))
	if err != nil && !os.IsNotExist(err) {
		return err.Error()
	}
	for _, s := range scratch {
		out += s.Name() + "\n"
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err.Error()
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, e.work) {
			out += line
		}
	}
	return out
}
