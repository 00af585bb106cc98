package compose_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"cosafs/materialize"
	"cosafs/materialize/compose"
	"cosafs/test/logbuf"
	"cosafs/test/need"
	"cosafs/test/tinyos"
)

// needRoot skips where the dnf engine can't run.
func needRoot(t *testing.T) {
	t.Helper()
	need.Tool(t, "root", "dnf", "ostree", "createrepo_c", "dpkg-deb", "unshare")
}

// A bench is a working directory with tinyos as its configuration.
type bench struct {
	t   *testing.T
	os  string // tinyos: repo/ and config/
	cfg compose.Config
	log *logbuf.Buffer // of the last compose
}

// made is where TestMain lets the tinyos be made that benches are clones of:
// making one takes seconds, most of them for unpacking the kernel's package.
var made struct {
	once sync.Once
	dir  string
	err  error
}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "compose-test-")
	if err != nil {
		panic(err)
	}
	made.dir = dir
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		panic(err)
	}
	os.Exit(code) //nolint:forbidigo // the end of the test program
}

func original(t *testing.T) string {
	t.Helper()
	made.once.Do(func() {
		made.err = tinyos.Make(context.WithoutCancel(t.Context()), tinyos.Config{Dir: made.dir}, os.Stderr)
	})
	if made.err != nil {
		t.Fatal(made.err)
	}
	return made.dir
}

func newBench(t *testing.T) *bench {
	t.Helper()
	needRoot(t)
	if testing.Short() {
		t.Skip("composing takes seconds")
	}
	b := &bench{t: t, os: t.TempDir()}
	b.do(tinyos.Clone(t.Context(), original(t), b.os))
	b.cfg = compose.Config{Workdir: t.TempDir(), Arch: "x86_64", Dir: filepath.Join(b.os, "config")}
	return b
}

// do runs the helpers of tinyos that change what is composed.
func (b *bench) do(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// add adds packages to the manifest, replace changes its text.
func (b *bench) add(names ...string) {
	b.t.Helper()
	b.do(tinyos.AddPackages(b.t.Context(), b.os, names...))
}

func (b *bench) replace(old, now string) {
	b.t.Helper()
	b.do(tinyos.Edit(b.t.Context(), b.os, "manifest.yaml", func(text string) string {
		if !strings.Contains(text, old) {
			b.t.Fatalf("the manifest lacks %q", old)
		}
		return strings.Replace(text, old, now, 1)
	}))
}

// append adds text to the manifest.
func (b *bench) append(text string) {
	b.t.Helper()
	b.do(tinyos.Edit(b.t.Context(), b.os, "manifest.yaml", func(old string) string { return old + text }))
}

// config writes a file of the configuration.
func (b *bench) config(name, text string) {
	b.t.Helper()
	b.do(tinyos.Edit(b.t.Context(), b.os, name, func(string) string { return text }))
}

func (b *bench) try(ctx context.Context, req materialize.ComposeRequest) (materialize.Commit, error) {
	b.t.Helper()
	req.Arch = "x86_64"
	b.log = &logbuf.Buffer{}
	task := &materialize.Task{Scratch: b.t.TempDir(), Log: b.log}
	commit, err := compose.NewDNF(b.cfg).Compose(ctx, req, task)
	left, rerr := os.ReadDir(filepath.Join(task.Scratch, "rootfs"))
	if rerr == nil {
		b.t.Errorf("the tree is left behind: %v", left)
	}
	return commit, err
}

func (b *bench) compose(req materialize.ComposeRequest) materialize.Commit {
	b.t.Helper()
	c, err := b.try(b.t.Context(), req)
	if err != nil {
		b.t.Fatalf("%v\n%s", err, b.log.String())
	}
	return c
}

// cat reads a file of a commit.
func (b *bench) cat(c materialize.Commit, name string) string {
	b.t.Helper()
	data, err := compose.NewOSTree(b.cfg).Cat(b.t.Context(), c.Checksum, name)
	if err != nil {
		b.t.Fatal(err)
	}
	return string(data)
}

// list lists a commit as `ostree ls -R` does.
func (b *bench) list(c materialize.Commit) string {
	b.t.Helper()
	out, err := exec.CommandContext(b.t.Context(), "ostree", "ls", "--repo="+c.Repo, "-R", c.Checksum).Output()
	if err != nil {
		b.t.Fatal(err)
	}
	return string(out)
}

// previous is the build that a commit would have become.
func previous(c materialize.Commit) *materialize.Previous {
	return &materialize.Previous{
		Commit: c.Checksum, Version: c.Version, InputHash: c.InputHash, ContentChecksum: c.ContentChecksum, Packages: c.Packages,
	}
}
