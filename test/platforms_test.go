package test

import (
	"bytes"
	"strings"
	"testing"

	"cosafs/test/tinyos"
)

// consoles is a platforms.yaml: openstack's GRUB speaks on the serial port, which
// GRUB leaves alone otherwise; vultr has a kernel argument alone.
const consoles = `x86_64:
  openstack:
    grub_commands:
      - serial --speed=115200
      - terminal_input serial console
      - terminal_output serial
      - echo 'grub of openstack'
    kernel_arguments:
      - tinyos.test=openstack
      - console=ttyS0,115200n8
  vultr:
    kernel_arguments: [tinyos.test=vultr]
`

// Each platform's image of one build boots with the consoles and kernel arguments
// that platforms.yaml had for it when the build was composed.
func TestPlatformSettings(t *testing.T) {
	t.Parallel()
	needAll(t)
	needTools(t, "ovmf")
	e := newEnv(t)
	e.platforms(consoles)
	e.mount()
	openstack := e.sh("sha256sum", e.path("next", "x86_64", "openstack.qcow2"))
	id := e.latest()
	for _, tt := range []struct {
		kind, want string
		unwanted   []string
		boot       tinyos.BootConfig
	}{
		{"openstack", "grub of openstack", []string{"test=vultr"}, tinyos.BootConfig{Disk: "openstack.qcow2", Format: "qcow2"}},
		{"vultr", "tinyos.test=vultr", []string{"grub of", "test=openstack"}, tinyos.BootConfig{Disk: "vultr.raw", UEFI: true}},
		{"hetzner", "id=hetzner", []string{"grub of", "tinyos.test"}, tinyos.BootConfig{Disk: "hetzner.raw"}},
	} {
		tt.boot.Disk = e.path(id, "x86_64", tt.boot.Disk)
		console := e.console(tt.boot)
		for _, want := range []string{tt.want, "ignition.platform.id=" + tt.kind, "tinyos: deployment " + e.meta(id).Commit} {
			if !bytes.Contains(console, []byte(want)) {
				t.Errorf("%s: the console lacks %q:\n%s", tt.kind, want, console)
			}
		}
		for _, not := range tt.unwanted {
			if bytes.Contains(console, []byte(not)) {
				t.Errorf("%s: the console has %q:\n%s", tt.kind, not, console)
			}
		}
	}
	if n := e.vmRuns(); n != 1 {
		t.Errorf("%d disks were written, want 1", n)
	}
	e.platforms(strings.ReplaceAll(consoles, "tinyos.test", "tinyos.other"))
	if plan := e.cosafs("plan", "next/x86_64/openstack.qcow2"); !strings.Contains(plan, "do   compose") {
		t.Errorf("after a change of platforms.yaml, the plan is:\n%s", plan)
	}
	if now := e.sh("sha256sum", e.path(id, "x86_64", "openstack.qcow2")); now[:64] != openstack[:64] {
		t.Error("the change of platforms.yaml changed an image of an old build")
	}
}

// A mistake in platforms.yaml is named before anything is built.
func TestPlatformSettingsTooLong(t *testing.T) {
	needAll(t)
	e := newEnv(t)
	e.platforms("x86_64:\n  aws:\n    kernel_arguments: [" + strings.Repeat("long=", 100) + "]\n")
	if said := e.refused("build"); !strings.Contains(said, "platforms.yaml") || !strings.Contains(said, "aws") {
		t.Errorf("cosafs build says: %s", said)
	}
}

// platforms writes the configuration's platforms.yaml.
func (e *env) platforms(text string) {
	e.Helper()
	if err := tinyos.Edit(e.Context(), e.os, "platforms.yaml", func(string) string { return text }); err != nil {
		e.Fatal(err)
	}
}

// console boots a disk and gives what the serial console printed.
func (e *env) console(cfg tinyos.BootConfig) []byte {
	e.Helper()
	console, err := tinyos.Boot(e.Context(), cfg)
	if err != nil {
		e.Fatalf("%s: %v\n%s", cfg.Disk, err, console)
	}
	return console
}
