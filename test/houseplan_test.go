package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cosafs/test/need"
)

// Every line of the house plan is held by a lint rule: a planted import that
// breaks it is refused, for its reason.
func TestHousePlanIsEnforced(t *testing.T) {
	linter := findLinter(t)
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	copyInto(t, dir, filepath.Join(root, ".golangci.yml"))
	// Leaves, so that the plants make no import cycle.
	plants := []struct{ at, imports, reason string }{
		{"index", "cosafs/backend/leaf", "index parses bytes; callers fetch them"},
		{"index", "os", "no I/O in index"},
		{"index", "net/http", "no I/O in index"},
		{"index/catalog", "cosafs/backend/leaf", "the catalog declares the store it needs"},
		{"backend/dirstore", "cosafs/index/leaf", "a store does not read what it holds"},
		{"backend", "cosafs/materialize/leaf", "backend is below materialize"},
		{"materialize", "cosafs/index/leaf", "materialize reaches records through its own interface"},
		{"materialize/disk", "cosafs/backend/leaf", "materialize reaches stores through its own interface"},
		{"materialize/compose", "cosafs/vfs/leaf", "materialize is below vfs"},
		{"vfs", "cosafs/backend/leaf", "vfs reads through materialize"},
		{"vfs", "cosafs/vfs/fusefs/leaf", "doors import vfs, never the other way"},
		{"vfs/webui", "cosafs/cmd/cosafs/leaf", "nothing imports cmd"},
		{"vfs/webui", "github.com/hanwen/go-fuse/v2/fs", "only vfs/fusefs may import go-fuse"},
		{"vfs/webui", "golang.org/x/net/webdav", "only vfs/davfs may import webdav"},
		{"backend/dirstore", "github.com/aws/aws-sdk-go-v2/aws", "only backend/s3store and materialize/aws may import an AWS SDK"},
		{"cmd/cosafs", "github.com/dgraph-io/badger/v4", "only index/catalog may import badger"},
		{"vfs/fusefs", "github.com/urfave/cli/v2", "only cmd may import urfave/cli"},
		{"materialize/guest", "testing", "move helpers to an xxxtest package"},
	}
	modules := map[string]bool{}
	for i, p := range plants {
		name := filepath.Join(dir, p.at, fmt.Sprintf("plant%d.go", i))
		write(t, name, fmt.Sprintf("package %s\n\nimport _ %q\n", filepath.Base(p.at), p.imports))
		modules[p.imports] = true
	}
	plantModules(t, dir, modules)
	cmd := exec.CommandContext(t.Context(), linter, "run", "--enable-only=depguard", "--max-issues-per-linter=0", "--max-same-issues=0", "./...")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	out, _ := cmd.CombinedOutput() // fails, as it must: it found something
	for i, p := range plants {
		if !complains(string(out), fmt.Sprintf("plant%d.go", i), p.reason) {
			t.Errorf("%s imports %s, and nobody says %q", p.at, p.imports, p.reason)
		}
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
}

func complains(out, file, reason string) bool {
	for line := range strings.Lines(out) {
		if strings.Contains(line, file) && strings.Contains(line, reason) {
			return true
		}
	}
	return false
}

// findLinter takes the Makefile's golangci-lint, else one in PATH.
func findLinter(t *testing.T) string {
	t.Helper()
	if path, err := filepath.Abs("../bin/golangci-lint"); err == nil && absent(path) == "" {
		return path
	}
	path, err := exec.LookPath("golangci-lint")
	if err != nil {
		need.Lacking(t, "golangci-lint", err) // make lint installs it
	}
	return path
}

// plantModules gives the planted imports something to import: empty packages of
// this module, and empty modules in the place of others.
func plantModules(t *testing.T, dir string, imports map[string]bool) {
	t.Helper()
	mod := "module cosafs\n\ngo 1.26\n"
	for path := range imports {
		switch {
		case strings.HasPrefix(path, "cosafs/"):
			write(t, filepath.Join(dir, strings.TrimPrefix(path, "cosafs/"), "doc.go"), "package "+filepath.Base(path)+"\n")
		case strings.Contains(path, "."):
			stub := filepath.Join("stub", path)
			write(t, filepath.Join(dir, stub, "go.mod"), "module "+path+"\n")
			write(t, filepath.Join(dir, stub, "stub.go"), "package stub\n")
			mod += fmt.Sprintf("require %s %s\nreplace %s => ./%s\n", path, version(path), path, stub)
		}
	}
	write(t, filepath.Join(dir, "go.mod"), mod)
}

// version is one that fits a module path's major version.
func version(path string) string {
	if base := filepath.Base(path); strings.HasPrefix(base, "v") && len(base) == 2 {
		return base + ".0.0"
	}
	return "v0.0.0"
}

func copyInto(t *testing.T, dir, file string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, filepath.Base(file)), string(b))
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
