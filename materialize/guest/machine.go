package guest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// setUp gives the appliance what an operating system has: kernel file systems,
// an environment, and the one driver that nothing loads by itself.
func setUp(ctx context.Context) error {
	unix.Umask(0o022)
	for key, value := range map[string]string{
		"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8", "TMPDIR": "/tmp",
	} {
		if err := os.Setenv(key, value); err != nil {
			return err
		}
	}
	for _, m := range []struct{ dir, kind string }{
		{"/proc", "proc"}, {"/sys", "sysfs"}, {"/dev", "devtmpfs"}, {"/run", "tmpfs"}, {"/tmp", "tmpfs"},
	} {
		err := unix.Mount(m.kind, m.dir, m.kind, 0, "")
		if err != nil && !errors.Is(err, unix.EBUSY) { // supermin's initrd may have mounted it
			return fmt.Errorf("mount %s: %w", m.dir, err)
		}
	}
	if out, err := exec.CommandContext(ctx, "modprobe", "-a", "virtio_console").CombinedOutput(); err != nil {
		return fmt.Errorf("modprobe: %w: %s", err, out)
	}
	return nil
}

// openPort opens the virtio-serial port that the host named.
func openPort(name string) (*os.File, error) {
	dir, err := byAttribute("/sys/class/virtio-ports", "name", name)
	if err != nil {
		return nil, err
	}
	return os.OpenFile(filepath.Join("/dev", filepath.Base(dir)), os.O_RDWR, 0)
}

// findDisk gives the device of the disk that the host gave the serial.
func findDisk(serial string) (string, error) {
	dir, err := byAttribute("/sys/block", "serial", serial)
	if err != nil {
		return "", err
	}
	return filepath.Join("/dev", filepath.Base(dir)), nil
}

// byAttribute finds the directory in class whose file attr holds value. There
// is no udev here that would make links.
func byAttribute(class, attr, value string) (string, error) {
	found, err := filepath.Glob(filepath.Join(class, "*", attr))
	if err != nil {
		return "", err
	}
	for _, path := range found {
		b, err := os.ReadFile(path)
		if err == nil && strings.TrimSpace(string(b)) == value {
			return filepath.Dir(path), nil
		}
	}
	return "", &fs.PathError{Op: "find " + attr + " " + value, Path: class, Err: fs.ErrNotExist}
}
