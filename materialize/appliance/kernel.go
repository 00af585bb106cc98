package appliance

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"cosafs/materialize"
)

// errNoKernel means that no kernel with modules is installed.
var errNoKernel = errors.New("no kernel with modules under /boot")

// FindKernel gives the path of the newest kernel below root that can be read
// and has its modules installed, preferring a cloud kernel: it has what a
// virtual machine needs and starts faster. There being none is a Failure of
// ClassTool.
func FindKernel(root string) (string, error) {
	var best string
	for _, pattern := range []string{"boot/vmlinuz-*", "usr/lib/modules/*/vmlinuz"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return "", err
		}
		for _, path := range found {
			if usable(root, path) && (best == "" || preferred(path, best)) {
				best = path
			}
		}
	}
	if best == "" {
		return "", materialize.Fail(materialize.ClassTool, op, "apt-get install linux-image-cloud-amd64",
			&fs.PathError{Op: "find kernel", Path: filepath.Join(root, "boot"), Err: errNoKernel})
	}
	return best, nil
}

// release gives the kernel release of a kernel's path.
func release(path string) string {
	if name, ok := strings.CutPrefix(filepath.Base(path), "vmlinuz-"); ok {
		return name
	}
	return filepath.Base(filepath.Dir(path))
}

func usable(root, path string) bool {
	f, err := os.Open(path) // Ubuntu's kernels can be read by root alone
	if err != nil {
		return false
	}
	_ = f.Close() // read only
	_, err = os.Stat(filepath.Join(root, "lib/modules", release(path), "modules.dep"))
	return err == nil
}

func preferred(a, b string) bool {
	a, b = release(a), release(b)
	ca, cb := strings.Contains(a, "cloud"), strings.Contains(b, "cloud")
	if ca != cb {
		return ca
	}
	return slices.Compare(numbers(a), numbers(b)) > 0
}

// numbers gives the decimal numbers in s, enough to order kernel releases.
func numbers(s string) []int {
	var all []int
	digits := func(r rune) bool { return r < '0' || r > '9' }
	for _, field := range strings.FieldsFunc(s, digits) {
		n := 0
		for _, r := range field {
			n = n*10 + int(r-'0')
		}
		all = append(all, n)
	}
	return all
}
