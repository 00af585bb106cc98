package install_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"cosafs/materialize/disk/install"
)

func TestConsoleField(t *testing.T) {
	long := strings.Repeat("x", install.ConsoleWidth-1)
	tests := []struct {
		name     string
		commands []string
		want     string // without the spaces that fill it up
		ok       bool
	}{
		{"none", nil, "", true},
		{"two", []string{"serial --speed=115200", "terminal_output serial"}, "serial --speed=115200\nterminal_output serial\n", true},
		{"just fits", []string{long[1:]}, long[1:] + "\n", true},
		{"too long", []string{long}, "", false},
		{"two lines in one", []string{"serial\nreboot"}, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := install.ConsoleField(tt.commands...)
			if !tt.ok {
				if !errors.Is(err, fs.ErrInvalid) {
					t.Errorf("got %q, %v; want ErrInvalid", got, err)
				}
				return
			}
			text, filled := strings.CutSuffix(string(got), "\n")
			if err != nil || !filled || len(got) != install.ConsoleWidth || strings.TrimRight(text, " ") != tt.want {
				t.Errorf("got %q, %v; want %q in %d bytes that end a line", got, err, tt.want, install.ConsoleWidth)
			}
		})
	}
}

// The field lies where coreos-installer, which has this pattern, replaces it.
func TestWriteGRUBConfig(t *testing.T) {
	dir := t.TempDir()
	field, err := install.WriteGRUBConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "grub2", "grub.cfg"))
	if err != nil || field.Path != filepath.Join(dir, "grub2", "grub.cfg") {
		t.Fatalf("field in %s, %v", field.Path, err)
	}
	settings, err := install.ConsoleField("serial", "terminal_input serial")
	if err != nil || field.Length != int64(len(settings)) {
		t.Fatalf("a field of %d bytes, %v; want %d", field.Length, err, len(settings))
	}
	copy(b[field.Offset:], settings)
	pattern := regexp.MustCompile(`\n# CONSOLE-SETTINGS-START\n(([^\n]*\n)*)# CONSOLE-SETTINGS-END\n`)
	if m := pattern.FindSubmatch(b); m == nil || !bytes.Equal(m[1], settings) {
		t.Errorf("between the markers is %q, want %q", m, settings)
	}
}

func TestAddPlatform(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "loader", "entries", "ostree-1.conf")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := install.AddPlatform(dir); err == nil {
		t.Error("no boot entry, no error")
	}
	if err := os.WriteFile(path, []byte("options quiet\ntitle x\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	field, err := install.AddPlatform(dir)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	have := string(b[field.Offset : field.Offset+field.Length])
	if want := "ignition.platform.id=metal"; field.Path != path || strings.TrimRight(have, " ") != want {
		t.Errorf("in %s is %q, want %q", field.Path, have, want)
	}
	if rest := strings.Replace(string(b), have, "", 1); rest != "options quiet \ntitle x\n" {
		t.Errorf("the rest became %q", rest)
	}
}

func TestWritePlatforms(t *testing.T) {
	for table, want := range map[string]string{"": "", "{}": "", `{"gcp":{}}`: `{"gcp":{}}` + "\n"} {
		dir := t.TempDir()
		if err := install.WritePlatforms(dir, []byte(table)); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(dir, "coreos", "platforms.json"))
		if string(b) != want || (want == "") != errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %q, %v; want %q", table, b, err, want)
		}
	}
}
