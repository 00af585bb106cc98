package tinyos

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed files/root
var rootFiles embed.FS

//go:embed files/applets
var applets string

const filesystemName = "tinyos-filesystem"

// filesystemPackage is the directories and links that everything else stands
// on, and /etc.
func filesystemPackage() (Package, error) {
	t := Tree{}
	for _, dir := range []string{
		"/usr", "/usr/bin", "/usr/sbin", "/usr/lib", "/usr/lib64", "/usr/share", "/usr/local", "/etc", "/etc/init.d",
		"/boot", "/dev", "/proc", "/sys", "/run", "/var", "/home", "/opt", "/srv", "/mnt", "/media", "/sysroot",
	} {
		t.dir(dir, 0o755)
	}
	t.dir("/root", 0o700)
	t.dir("/tmp", fs.ModeSticky|0o777)
	for _, l := range []string{"bin", "sbin", "lib", "lib64"} {
		t.link("/"+l, "usr/"+l)
	}
	t.link("/etc/os-release", "../usr/lib/os-release")
	err := fs.WalkDir(rootFiles, "files/root", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		body, err := rootFiles.ReadFile(name)
		perm := fs.FileMode(0o644)
		if strings.Contains(name, "/init.d/") {
			perm = 0o755
		}
		t.put(strings.TrimPrefix(name, "files/root"), body, perm)
		return err
	})
	if err != nil {
		return Package{}, fmt.Errorf("tinyos: %w", err)
	}
	return Package{Name: filesystemName, Version: "1.0", Release: "1", Files: t}, nil
}

// busybox is the one program of tinyos.
func busybox(ctx context.Context, d *debs) (File, error) {
	t, err := d.tree(ctx, "busybox-static", func(p string) bool { return p == "/usr/bin/busybox" })
	if err != nil {
		return File{}, err
	}
	_, f, err := t.read("/usr/bin/busybox")
	return f, err
}

// busyboxPackage is busybox under the names of its applets.
func busyboxPackage(ctx context.Context, d *debs) (Package, error) {
	version, release, err := d.version("busybox-static")
	if err != nil {
		return Package{}, err
	}
	bb, err := busybox(ctx, d)
	if err != nil {
		return Package{}, err
	}
	t := Tree{"/usr/bin/busybox": bb}
	for name := range strings.FieldsSeq(applets) {
		t.link("/usr/bin/"+name, "busybox")
	}
	for _, name := range []string{"init", "halt", "modprobe", "poweroff", "reboot", "switch_root"} {
		t.link("/usr/sbin/"+name, "../bin/busybox")
	}
	return Package{
		Name: "tinyos-busybox", Version: version, Release: release, Arch: rpmArch(d.arch), Files: t,
	}, nil
}
