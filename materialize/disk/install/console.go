package install

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ConsoleWidth is the size in bytes of the console field: GRUB's commands that
// set up a platform's consoles. Fedora CoreOS's take less than a hundred.
const ConsoleWidth = 512

// consoleStart is the line of grub.cfg before the console field, as cosa's has
// it: coreos-installer replaces what lies between it and CONSOLE-SETTINGS-END.
const consoleStart = "\n# CONSOLE-SETTINGS-START\n"

// ConsoleField gives the console field with the commands, each on a line of its
// own. The spaces that fill it up mean nothing to GRUB. Commands that don't fit
// are fs.ErrInvalid.
func ConsoleField(commands ...string) ([]byte, error) {
	var field strings.Builder
	for _, c := range commands {
		field.WriteString(c + "\n")
	}
	if field.Len() >= ConsoleWidth || hasControl(commands) {
		return nil, fmt.Errorf("console settings %q: must be lines of fewer than %d bytes together: %w", commands, ConsoleWidth, fs.ErrInvalid)
	}
	return []byte(field.String() + strings.Repeat(" ", ConsoleWidth-1-field.Len()) + "\n"), nil
}

// WriteGRUBConfig writes grub.cfg into a boot file system, with an empty console
// field. The modes are those of the package in Fedora: the file may get a
// password.
func WriteGRUBConfig(bootDir string) (Field, error) {
	dir := filepath.Join(bootDir, "grub2")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Field{}, err
	}
	field, err := ConsoleField()
	if err != nil {
		return Field{}, err
	}
	at := bytes.Index(grubConfig, []byte(consoleStart)) + len(consoleStart)
	path := filepath.Join(dir, "grub.cfg")
	text := bytes.Join([][]byte{grubConfig[:at], field, grubConfig[at:]}, nil)
	return Field{Path: path, Offset: int64(at), Length: ConsoleWidth}, os.WriteFile(path, text, 0o600)
}
