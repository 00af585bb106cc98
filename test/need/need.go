// Package need lets a test say which tools it can't do without. Where one is
// missing the test is skipped with the reason, and fails where the environment
// variable COSAFS_TEST_REQUIRE names the tool: a comma-separated list, or "all".
// So a run that requires all has skipped nothing for want of a tool.
package need

import (
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// Tool asks for programs in PATH, and for a few things that are no programs:
// "root", "fuse" (the device), "ovmf" (UEFI firmware for qemu).
func Tool(tb testing.TB, names ...string) {
	tb.Helper()
	for _, name := range names {
		if err := look(name); err != nil {
			Lacking(tb, name, err)
		}
	}
}

// Lacking ends a test that lacks a tool: it skips, or fails where the tool is
// required.
func Lacking(tb testing.TB, name string, why error) {
	tb.Helper()
	if Required(name) {
		tb.Fatalf("%s is required: %v", name, why)
	}
	tb.Skipf("%s: %v", name, why)
}

// Required says whether a tool must not be missing.
func Required(name string) bool {
	list := strings.Split(os.Getenv("COSAFS_TEST_REQUIRE"), ",")
	return slices.Contains(list, name) || slices.Contains(list, "all")
}

// look finds a tool.
func look(name string) error {
	var err error
	switch name {
	case "root":
		if os.Geteuid() != 0 {
			err = errors.New("not root")
		}
	case "fuse":
		var f *os.File
		if f, err = os.OpenFile("/dev/fuse", os.O_RDWR, 0); err == nil {
			err = f.Close()
		}
	case "ovmf":
		_, err = os.Stat("/usr/share/OVMF/OVMF_CODE_4M.fd")
	default:
		_, err = exec.LookPath(name)
	}
	return err
}
