package storegen

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"cosafs/index"
)

// Packages are those of build number n, in a tree that changes them every so
// many builds: kernel, and one of the others in turn, get a new release each time.
func Packages(n, every int, arch index.Arch) []index.Package {
	generation := n / every
	list := []index.Package{{Name: "kernel", Epoch: "0", Version: fmt.Sprintf("6.%d", generation), Release: "1", Arch: string(arch)}}
	for i := range others {
		list = append(list, index.Package{
			Name: fmt.Sprintf("example%03d", i), Epoch: "0", Version: "1.0",
			Release: fmt.Sprint(1 + (generation+others-1-i)/others), Arch: string(arch)})
	}
	return list
}

// others is the number of packages beside the kernel.
const others = 300

// writeCommitMeta writes commitmeta.json: a link of that of the oldest build with
// the same packages, if another goroutine has written that one already.
func (t *Tree) writeCommitMeta(n int, arch index.Arch) error {
	path := filepath.Join(t.dir(n, arch), "commitmeta.json")
	if n%t.PackageEvery != 0 && os.Link(filepath.Join(t.dir(n-n%t.PackageEvery, arch), "commitmeta.json"), path) == nil {
		return nil
	}
	rows := [][5]string{}
	for _, p := range Packages(n, t.PackageEvery, arch) {
		rows = append(rows, [5]string{p.Name, p.Epoch, p.Version, p.Release, p.Arch})
	}
	data, err := json.MarshalIndent(map[string]any{"rpmostree.rpmdb.pkglist": rows}, "", "    ")
	if err != nil {
		return fmt.Errorf("commitmeta.json: %w", err)
	}
	return t.write(path, data)
}
