package disk_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cosafs/materialize"
	"cosafs/materialize/guest"
	"cosafs/test/need"
	"cosafs/test/tinyos"
)

// TestMain lets the test program be the guest's init, as cosafs is.
func TestMain(m *testing.M) {
	if guest.IsInit() {
		fmt.Fprintln(os.Stderr, guest.Main(context.Background()))
		return
	}
	m.Run()
}

// needVM skips a test that starts a virtual machine where that can't be, or
// where only quick tests are wanted.
func needVM(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a virtual machine")
	}
	need.Tool(t, "supermin", "qemu-system-x86_64", "ostree", "mke2fs")
}

func newTask(t *testing.T) *materialize.Task {
	t.Helper()
	return &materialize.Task{Job: t.Name(), Scratch: t.TempDir(), Log: t.Output()}
}

// sh runs a shell script in a directory and gives what it prints.
func sh(t *testing.T, dir, script string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-euc", script)
	cmd.Dir = dir
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, said.Bytes())
	}
	return strings.TrimSpace(string(out))
}

const ref = "tinyos/x86_64/main"

// commitTinyOS gives a repository with a commit of the tiny OS: its packages
// unpacked, and what ostree wants of a tree. Package compose does it properly.
func commitTinyOS(t *testing.T) (repo, commit string) {
	t.Helper()
	need.Tool(t, "rpm2archive", "createrepo_c", "dpkg-deb", "ostree", "git")
	dir := t.TempDir()
	if err := tinyos.Make(t.Context(), tinyos.Config{Dir: dir}, t.Output()); err != nil {
		t.Fatal(err)
	}
	commit = sh(t, dir, `
		mkdir root; cd root
		for rpm in ../repo/tinyos-*.rpm ../repo/kernel-*.rpm; do rpm2archive -n - <$rpm | tar -x; done
		mv etc usr/etc; rm -rf home opt srv mnt media root usr/local
		ln -s sysroot/ostree ostree
		cd ..; ostree --repo=ostree init --mode=bare-user
		ostree --repo=ostree commit --branch=`+ref+` --tree=dir=root --no-xattrs --owner-uid=0 --owner-gid=0 \
			--bootable --timestamp=@1700000000`)
	return filepath.Join(dir, "ostree"), commit
}

// wantClass fails the test if err isn't a failure of the class, with a hint.
func wantClass(t *testing.T, err error, class materialize.Class) {
	t.Helper()
	var f *materialize.Failure
	if !errors.As(err, &f) || f.Class != class || f.Hint == "" {
		t.Fatalf("got %v, want a failure of class %s with a hint", err, class)
	}
}
