package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cosafs/test/need"
)

// On a machine that has none of the packages, make installs them, as root and with sudo.
func TestMakeInstallsPackages(t *testing.T) {
	need.Tool(t, "make")
	for sudo, want := range map[string]string{"": "apt-get install", "sudo": "sudo apt-get install"} {
		dir := t.TempDir()
		log := filepath.Join(dir, "log")
		for name, script := range map[string]string{
			"dpkg-query": "exit 1",
			"apt-get":    `echo "$AS""apt-get $*" >>"$LOG"; echo "$DEBIAN_FRONTEND" >>"$LOG"`,
			"sudo":       `AS="sudo " exec "$@"`,
		} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil { // #nosec G306: a program
				t.Fatal(err)
			}
		}
		cmd := exec.CommandContext(t.Context(), "make", "--no-print-directory", "-C", "..", "deps", "SUDO="+sudo)
		cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "LOG="+log, "MAKEFLAGS=", "DEBIAN_FRONTEND=")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("sudo %q: %v: %s", sudo, err, out)
			continue
		}
		if got := readText(t, log); !strings.Contains("\n"+got, "\n"+want) || !strings.Contains(got, " supermin ") || !strings.Contains(got, "\nnoninteractive\n") {
			t.Errorf("sudo %q: it called\n%s", sudo, got)
		}
	}
}
