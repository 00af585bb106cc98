package appliance

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"

	"cosafs/materialize"
)

const op = "prepare appliance"

// Packages are the names of the Debian packages that the guest's steps need.
func Packages() []string {
	return strings.Fields("bash coreutils findutils libc-bin util-linux mount kmod gdisk " +
		"e2fsprogs xfsprogs dosfstools mtools ostree grub-common grub-pc-bin grub-efi-amd64-bin")
}

// resolve fills in what Config leaves open, and looks for what must be there.
func (c Config) resolve() (Config, error) {
	var err error
	if _, err = exec.LookPath("supermin"); err != nil {
		return c, materialize.Fail(materialize.ClassTool, op, "apt-get install supermin", err)
	}
	if c.Program == "" {
		if c.Program, err = os.Executable(); err != nil {
			return c, materialize.Fail(materialize.ClassTool, op, "name the program in the configuration", err)
		}
	}
	if c.Packages == nil {
		c.Packages = Packages()
	}
	if c.Kernel == "" {
		c.Kernel, err = FindKernel("/")
	}
	return c, err
}

// databases say which versions of which packages are installed; a change in
// one of them makes another appliance. Hashing them whole makes a new one more
// often than is needed, but costs milliseconds where asking for the closure of
// packages takes seconds.
func databases() []string {
	return []string{"/var/lib/dpkg/status", "/usr/lib/sysimage/rpm/rpmdb.sqlite", "/var/lib/rpm/rpmdb.sqlite"}
}

// key hashes all that decides what the appliance holds.
func (c Config) key() (string, error) {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "layout 1\n%q\n%q\n", c.Packages, excluded()) // a hash takes all
	for _, path := range databases() {
		if err := hashFile(h, path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	for _, path := range []string{c.Kernel, c.Program} {
		if err := hashFile(h, path); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:keyLen], nil
}

// hashFile adds a file's bytes, and where they end.
func hashFile(h hash.Hash, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // read only
	n, err := io.Copy(h, f)
	_, _ = fmt.Fprintf(h, "\n%s %d\n", path, n) // a hash takes all
	return err
}
