package tinyos

import (
	"bytes"
	"context"
	"debug/elf"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// initramfsModules are the drivers that some later root may be behind: disks,
// CDs, and the file systems of disks and of live images. Those that the kernel
// doesn't have as a module are left out.
func initramfsModules() []string {
	return []string{
		"virtio_pci", "virtio_blk", "virtio_scsi", "virtio_console", "nvme", "ahci", "ata_generic", "ata_piix",
		"sd_mod", "sr_mod", "isofs", "loop", "overlay", "squashfs", "erofs", "xfs", "ext4", "vfat",
		"nls_cp437", "nls_ascii", "nls_iso8859-1",
	}
}

// rootModules are those that only the running system wants.
func rootModules() []string { return []string{"virtio_net", "fuse", "virtiofs", "dm-verity"} }

// kernelPackage is a kernel where OSTree looks for it, with its initramfs.
func kernelPackage(ctx context.Context, d *debs, name string) (Package, error) {
	version, release, err := d.version(name)
	if err != nil {
		return Package{}, err
	}
	uname := strings.TrimPrefix(name, "linux-image-")
	lib := "/usr/lib/modules/" + uname
	all, err := d.tree(ctx, name, func(p string) bool {
		return p == "/boot/vmlinuz-"+uname || strings.HasPrefix(p, lib+"/")
	})
	if err != nil {
		return Package{}, err
	}
	mods, err := loadModules(all, lib)
	if err != nil {
		return Package{}, err
	}
	early := mods.closure(initramfsModules())
	initramfs, err := initramfs(ctx, d, mods.tree(early))
	if err != nil {
		return Package{}, err
	}
	files := mods.tree(mods.closure(append(initramfsModules(), rootModules()...)))
	for _, base := range []string{"modules.builtin", "modules.builtin.modinfo", "modules.order"} {
		if f, ok := all[path.Join(lib, base)]; ok {
			files[path.Join(lib, base)] = f
		}
	}
	files.put(lib+"/vmlinuz", all["/boot/vmlinuz-"+uname].Body, 0o644)
	files.put(lib+"/initramfs.img", initramfs, 0o600)
	return Package{Name: "kernel", Version: version, Release: release, Arch: rpmArch(d.arch), Files: files}, nil
}

// rpmArch is RPM's name of a Debian architecture.
func rpmArch(deb string) string {
	if deb == "arm64" {
		return "aarch64"
	}
	return "x86_64"
}

// A module is one kernel module.
type module struct {
	file    string // its path below the modules directory
	body    []byte
	depends []string
	aliases []string
}

// modules are a kernel's modules by name, with underscores as the kernel has them.
type modules struct {
	dir    string // /usr/lib/modules/UNAME
	byName map[string]module
}

func moduleName(s string) string { return strings.ReplaceAll(s, "-", "_") }

// loadModules reads what every module says of itself. The package has no
// modules.dep; on a Debian system its maintainer script makes one.
func loadModules(t Tree, dir string) (*modules, error) {
	m := &modules{dir: dir, byName: map[string]module{}}
	for name, f := range t {
		if path.Ext(name) != ".ko" {
			continue
		}
		info, err := modinfo(f.Body)
		if err != nil {
			return nil, fmt.Errorf("tinyos: %s: %w", name, err)
		}
		info.file = strings.TrimPrefix(name, dir+"/")
		info.body = f.Body
		m.byName[moduleName(strings.TrimSuffix(path.Base(name), ".ko"))] = info
	}
	return m, nil
}

// modinfo parses the .modinfo section: NUL terminated key=value pairs.
func modinfo(body []byte) (module, error) {
	e, err := elf.NewFile(bytes.NewReader(body))
	if err != nil {
		return module{}, fmt.Errorf("read module: %w", err)
	}
	s := e.Section(".modinfo")
	if s == nil {
		return module{}, fmt.Errorf("read module: no .modinfo: %w", fs.ErrInvalid)
	}
	data, err := s.Data()
	if err != nil {
		return module{}, fmt.Errorf("read module: %w", err)
	}
	var m module
	for pair := range strings.SplitSeq(string(data), "\x00") {
		key, value, _ := strings.Cut(pair, "=")
		switch {
		case key == "depends" && value != "":
			m.depends = strings.Split(value, ",")
		case key == "alias":
			m.aliases = append(m.aliases, value)
		}
	}
	return m, nil
}

// closure gives those of the modules that exist, and all they depend on, sorted.
func (m *modules) closure(names []string) []string {
	out := m.ordered(names)
	slices.Sort(out)
	return out
}

// ordered gives those of the modules that exist, and all they depend on, each
// after what it depends on.
func (m *modules) ordered(names []string) []string {
	var out []string
	var visit func(name string)
	visit = func(name string) {
		name = moduleName(name)
		mod, ok := m.byName[name]
		if !ok || slices.Contains(out, name) {
			return
		}
		for _, dep := range mod.depends {
			visit(dep)
		}
		out = append(out, name)
	}
	for _, name := range names {
		visit(name)
	}
	return out
}

// tree gives the modules' files and the tables that modprobe reads.
func (m *modules) tree(names []string) Tree {
	t := Tree{}
	var dep, alias strings.Builder
	for _, name := range names {
		mod := m.byName[name]
		t.put(path.Join(m.dir, mod.file), mod.body, 0o644)
		dep.WriteString(mod.file + ":")
		for _, d := range slices.Backward(m.ordered(mod.depends)) { // modprobe loads from the right
			dep.WriteString(" " + m.byName[d].file)
		}
		dep.WriteString("\n")
		for _, a := range mod.aliases {
			fmt.Fprintf(&alias, "alias %s %s\n", a, name)
		}
	}
	t.put(m.dir+"/modules.dep", []byte(dep.String()), 0o644)
	t.put(m.dir+"/modules.alias", []byte(alias.String()), 0o644)
	return t
}
