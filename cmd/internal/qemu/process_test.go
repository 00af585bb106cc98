package qemu_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"cosafs/cmd/internal/qemu"
)

// fakeQEMU puts a script in PATH as qemu.
func fakeQEMU(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "qemu-system-x86_64"), []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

// The kernel sees the initrds as one, each at a multiple of four bytes.
func TestInitrds(t *testing.T) {
	fakeQEMU(t, "cat /proc/self/fd/3")
	m := machine(t)
	media, err := qemu.OpenKernel("/kernel", []string{write(t, "a", []byte("12345")), write(t, "b", []byte("6789"))}, []string{"quiet"}, m.TempDir)
	if err != nil {
		t.Fatal(err)
	}
	wantEmpty(t, "before", m.TempDir)
	var out console
	if err := m.Run(t.Context(), media, qemu.Streams{Out: &out}); err != nil {
		t.Fatal(err)
	}
	if err := media.Close(); err != nil {
		t.Error(err)
	}
	if got, want := string(out.text), "12345\x00\x00\x006789"; got != want {
		t.Errorf("the initrd is %q, want %q", got, want)
	}
}

// lonely names the image that a process of this test runs, to be killed.
const lonely = "COSAFS_TEST_LONELY"

func TestMain(m *testing.M) {
	if image := os.Getenv(lonely); image != "" {
		if err := runAlone(context.Background(), image); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func runAlone(ctx context.Context, image string) error {
	media, err := qemu.Open(ctx, image, "")
	if err != nil {
		return err
	}
	m := qemu.Machine{Arch: "x86_64"}
	return m.Run(ctx, media, qemu.Streams{Out: os.Stdout, Err: os.Stderr})
}

// Who kills cosafs with SIGKILL has ended the machine, too.
func TestKilled(t *testing.T) {
	fakeQEMU(t, "echo up; exec sleep 1000")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), lonely+"="+write(t, "disk.raw", nil))
	cmd.Stdout, cmd.Stderr = w, w // qemu's, too
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close() // the processes have theirs
	lines := bufio.NewReader(r)
	if line, err := lines.ReadString('\n'); line != "up\n" {
		t.Fatalf("it says %q (%v)", line, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()                                                    // it was killed
	if rest, err := io.ReadAll(lines); err != nil || len(rest) != 0 { // ends when nobody has the pipe any more
		t.Errorf("it says %q (%v)", rest, err)
	}
}
