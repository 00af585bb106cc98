package disk_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cosafs/materialize"
	"cosafs/materialize/disk"
	"cosafs/materialize/disk/install"
)

// renderedPlatforms gives platforms.json of a configuration with this platforms.yaml.
func renderedPlatforms(t *testing.T, text string) ([]byte, error) {
	t.Helper()
	dir := t.TempDir()
	if text != "" {
		if err := os.WriteFile(filepath.Join(dir, "platforms.yaml"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return disk.New(disk.Config{ConfigDir: dir}).RenderPlatforms(t.Context(), "x86_64")
}

func TestRenderPlatforms(t *testing.T) {
	long := strings.Repeat("x", install.ConsoleWidth)
	tests := []struct {
		name, yaml, want string // want "" = a Failure
	}{
		{"no file", "", `{}`},
		{"comments alone", "# none yet\n", `{}`},
		{"other architectures", "aarch64:\n  aws:\n    kernel_arguments: [console=ttyS0]\n", `{}`},
		{
			"one of each", `
x86_64:
  vmware:
    grub_commands:
      - serial --speed=115200
      - terminal_output serial console
  azure:
    # a comment
    kernel_arguments: [console=tty0, "console=ttyS0,115200n8"]
  metal:
`, `{"azure":{"kernel_arguments":["console=tty0","console=ttyS0,115200n8"]},"metal":{},` +
				`"vmware":{"grub_commands":["serial --speed=115200","terminal_output serial console"]}}`,
		},
		{"unknown key", "x86_64:\n  aws:\n    kernel_argument: [a]\n", ""},
		{"not a list", "x86_64:\n  aws:\n    kernel_arguments: a\n", ""},
		{"not a mapping", "- x86_64\n", ""},
		{"not YAML", "x86_64: [\n", ""},
		{"arguments too long", "x86_64:\n  aws:\n    kernel_arguments: [" + long + "]\n", ""},
		{"commands too long", "x86_64:\n  aws:\n    grub_commands: [" + long + "]\n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := renderedPlatforms(t, tt.yaml)
			if tt.want == "" {
				wantClass(t, err, materialize.ClassConfig)
				return
			}
			if err != nil || string(got) != tt.want {
				t.Errorf("got %s, %v; want %s", got, err, tt.want)
			}
		})
	}
}

// Whatever the file, its table is one that a disk can be stamped with.
func FuzzRenderPlatforms(f *testing.F) {
	f.Add("x86_64:\n  aws:\n    grub_commands: [serial]\n    kernel_arguments: [console=ttyS0]\n")
	f.Add("x86_64: {a: {}, b: }\naarch64:\n")
	f.Add("x86_64:\n  \"a b\\nc\": {kernel_arguments: ['']}\n")
	f.Fuzz(func(t *testing.T, text string) {
		table, err := renderedPlatforms(t, text)
		if err != nil {
			return
		}
		var platforms map[string]any
		if err := json.Unmarshal(table, &platforms); err != nil {
			t.Fatalf("%q: %v", table, err)
		}
		for id := range platforms {
			if err := disk.Stamp(writes{}, withConsole(materialize.BaseDisk{}), id, table); err != nil {
				t.Errorf("%s of %s: %v", id, table, err)
			}
		}
	})
}

// withConsole gives the base disk places for both fields, in its first 16 KiB.
func withConsole(base materialize.BaseDisk) materialize.BaseDisk {
	base.Platform = []materialize.Extent{{Offset: 4096, Length: install.FieldWidth}}
	base.Console = []materialize.Extent{{Offset: 8192, Length: 100}, {Offset: 12288, Length: install.ConsoleWidth - 100}}
	return base
}

// writes keeps what is written, by offset.
type writes map[int64]string

func (w writes) WriteAt(p []byte, off int64) (int, error) {
	w[off] = string(p)
	return len(p), nil
}

// A disk gets the settings of its platform, and loses those of another.
func TestStampSettings(t *testing.T) {
	table := []byte(`{"aws": {"grub_commands": ["serial", "terminal_output serial"], "kernel_arguments": ["console=tty0", "x=1"]}}`)
	base, got := withConsole(materialize.BaseDisk{}), writes{}
	if err := disk.Stamp(got, base, "aws", table); err != nil {
		t.Fatal(err)
	}
	if want := "ignition.platform.id=aws console=tty0 x=1"; strings.TrimRight(got[4096], " ") != want {
		t.Errorf("boot entry: %q, want %q", got[4096], want)
	}
	if want := "serial\nterminal_output serial\n"; strings.TrimRight(got[8192]+got[12288], " \n")+"\n" != want {
		t.Errorf("grub.cfg: %q and %q, want %q", got[8192], got[12288], want)
	}
	if err := disk.Stamp(got, base, "gcp", table); err != nil {
		t.Fatal(err)
	}
	if strings.TrimRight(got[4096], " ") != "ignition.platform.id=gcp" || strings.Trim(got[8192]+got[12288], " \n") != "" {
		t.Errorf("after another platform's stamp: %v", got)
	}
}

// Every kind is made with the settings of its platform, as a file and as a view.
func TestMakeWithSettings(t *testing.T) {
	base := madeUp(t)
	base.Console = []materialize.Extent{{Offset: 1<<20 + 200000, Length: install.ConsoleWidth}}
	for kind, id := range map[string]string{"metal": "metal", "metal4k": "metal", "vultr": "vultr"} {
		req := request(base, kind)
		req.PlatformsJSON = []byte(`{"` + id + `": {"grub_commands": ["serial ` + id + `"], "kernel_arguments": ["of=` + id + `"]}}`)
		out := filepath.Join(t.TempDir(), kind)
		if err := disk.New(disk.Config{}).Make(t.Context(), req, out, newTask(t)); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(out)
		if err != nil {
			t.Fatal(err)
		}
		have := make([]byte, 2<<20)
		if _, err := f.ReadAt(have, 0); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"ignition.platform.id=" + id + " of=" + id + " ", "serial " + id + "\n"} {
			if bytes.Count(have, []byte(want)) != 1 {
				t.Errorf("%s: not once %q", kind, want)
			}
		}
	}
}

func TestStampFails(t *testing.T) {
	base := withConsole(materialize.BaseDisk{})
	long := `{"aws": {"grub_commands": ["` + strings.Repeat("x", install.ConsoleWidth) + `"]}}`
	wantClass(t, disk.Stamp(writes{}, base, "aws", []byte(long)), materialize.ClassConfig)
	wantClass(t, disk.Stamp(writes{}, base, "aws", []byte(`{"aws": []}`)), materialize.ClassConfig)
	base.Console = nil
	if err := disk.Stamp(writes{}, base, "aws", []byte(`{"aws": {"grub_commands": ["serial"]}}`)); err == nil {
		t.Error("no place for the console settings, no error")
	}
}
