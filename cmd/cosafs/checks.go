package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"cosafs/materialize/appliance"
	"cosafs/vfs/fusefs"
)

// Space in bytes below which a build is likely to fail. A compose keeps the
// packages, the tree and the repository, a disk is sparse.
const (
	spaceNeeded = 4 << 30
	spaceWanted = 10 << 30
)

// A host is the machine that doctor looks at.
type host struct {
	root    string // "/", for tests another
	workdir string
	path    string // $PATH
	arch    string
	kvmOff  bool
}

// checks lists what doctor looks at, in the order in which it prints.
func (h host) checks() []func() []finding {
	return []func() []finding{
		h.programs, h.engine, h.guestPackages, h.kernel, h.fuse, h.kvm, h.workdirState, h.space,
	}
}

// A tool is a program and what it is for.
type tool struct {
	name, pkg, use string
	needed         bool
}

// tools lists the programs that are run directly.
func (h host) tools() []tool {
	return []tool{
		{"ostree", "ostree", "commits", true},
		{"rpm", "rpm", "packages", true},
		{"supermin", "supermin", "the appliance that writes disks", true},
		{"qemu-system-" + h.arch, "qemu-system-x86", "the appliance, cosafs run", true},
		{"qemu-img", "qemu-utils", "disk images", true},
		{"git", "git", "configurations in git", false},
		{"createrepo_c", "createrepo-c", "overrides/rpm", false},
	}
}

func (h host) programs() []finding {
	var found []finding
	for _, t := range h.tools() {
		f := finding{Check: t.name, Grade: gradeOK, Fix: aptHint(t.pkg)}
		path, err := h.look(t.name)
		switch {
		case err == nil:
			f.Found = path
		case t.needed:
			f.Grade, f.Found = gradeMissing, "not in $PATH; needed for "+t.use
		default:
			f.Grade, f.Found = gradeNote, "not in $PATH; needed only for "+t.use
		}
		found = append(found, f)
	}
	return found
}

// engine looks for a compose engine; either serves.
func (h host) engine() []finding {
	for _, name := range []string{"rpm-ostree", "dnf"} {
		if path, err := h.look(name); err == nil {
			return []finding{{Check: "compose engine", Grade: gradeOK, Found: path}}
		}
	}
	return []finding{{Check: "compose engine", Grade: gradeMissing, Found: "neither rpm-ostree nor dnf in $PATH", Fix: aptHint("dnf")}}
}

// guestPackages looks for what supermin copies into the appliance.
func (h host) guestPackages() []finding {
	status, err := os.ReadFile(filepath.Join(h.root, "var/lib/dpkg/status"))
	if err != nil {
		return []finding{{Check: "appliance packages", Grade: gradeNote, Found: "no dpkg here; not checked"}}
	}
	installed := installedPackages(string(status))
	var absent []string
	for _, name := range appliance.Packages() {
		if !installed[name] {
			absent = append(absent, name)
		}
	}
	if len(absent) > 0 {
		return []finding{{Check: "appliance packages", Grade: gradeMissing, Found: "not installed: " + strings.Join(absent, " "), Fix: aptHint(absent...)}}
	}
	return []finding{{Check: "appliance packages", Grade: gradeOK, Found: fmt.Sprintf("%d installed", len(appliance.Packages()))}}
}

// installedPackages reads dpkg's status file (deb822 paragraphs).
func installedPackages(status string) map[string]bool {
	installed := map[string]bool{}
	for paragraph := range strings.SplitSeq(status, "\n\n") {
		name, ok := "", false
		for line := range strings.SplitSeq(paragraph, "\n") {
			if v, found := strings.CutPrefix(line, "Package: "); found {
				name = v
			}
			ok = ok || line == "Status: install ok installed" || line == "Status: hold ok installed"
		}
		if ok && name != "" {
			installed[name] = true
		}
	}
	return installed
}

// kernel looks for one that the appliance can boot.
func (h host) kernel() []finding {
	path, err := appliance.FindKernel(h.root)
	if err != nil {
		return []finding{{Check: "appliance kernel", Grade: gradeMissing, Found: "none in /boot that can be read and has its modules", Fix: aptHint("linux-image-cloud-amd64")}}
	}
	return []finding{{Check: "appliance kernel", Grade: gradeOK, Found: path}}
}

// fuseHint is what to do without /dev/fuse.
const fuseHint = "modprobe fuse; in a container: --device /dev/fuse"

// fuse looks for what a mount needs.
func (h host) fuse() []finding {
	f := finding{Check: "/dev/fuse", Grade: gradeOK, Found: "can be opened"}
	if err := fusefs.CheckDevice(filepath.Join(h.root, fusefs.Device)); err != nil {
		f.Grade, f.Found, f.Fix = gradeMissing, reason(err), fuseHint
	}
	found := []finding{f}
	if path, err := h.look("fusermount3"); err == nil {
		return append(found, finding{Check: "fusermount3", Grade: gradeOK, Found: path})
	}
	g := finding{Check: "fusermount3", Grade: gradeMissing, Found: "not in $PATH; users other than root need it to mount", Fix: aptHint("fuse3")}
	if os.Geteuid() == 0 {
		g.Grade = gradeNote
	}
	return append(found, g)
}

// kvm says what is known about KVM, which without a run is little.
func (h host) kvm() []finding {
	const name = "/dev/kvm"
	works, known := kvmProof(h.workdir)
	err := canOpen(filepath.Join(h.root, "dev/kvm"))
	f := finding{Check: name, Grade: gradeNote}
	switch {
	case h.kvmOff:
		f.Found = "switched off; the appliance is emulated: minutes instead of seconds"
	case errors.Is(err, fs.ErrNotExist):
		f.Found = "not there; the appliance is emulated: minutes instead of seconds"
	case err != nil:
		f.Found, f.Fix = reason(err)+"; the appliance is emulated", "usermod -aG kvm $USER, then log in again"
	case known && works:
		f.Grade, f.Found = gradeOK, "works: the appliance has used it"
	case known:
		f.Found = "can be opened, but hung the appliance; it is emulated"
	default:
		f.Found = "exists, not proven: the first build tries it, and emulates if it hangs"
	}
	return []finding{f}
}

// workdirState says whether the build directory can be worked in.
func (h host) workdirState() []finding {
	if !isWorkdir(h.workdir) {
		return []finding{{Check: "build directory", Grade: gradeNote, Found: h.workdir + " is none", Fix: "cosafs init URL|CONFIG"}}
	}
	var found []finding
	for _, dir := range []string{"builds", "cache", "tmp"} {
		path := filepath.Join(h.workdir, dir)
		if err := unix.Access(path, unix.W_OK|unix.X_OK); err != nil && !errors.Is(err, fs.ErrNotExist) {
			found = append(found, finding{Check: "build directory", Grade: gradeMissing, Found: path + ": " + reason(err), Fix: writableFix(path, err)})
		}
	}
	if len(found) > 0 {
		return found
	}
	found = append(found, finding{Check: "build directory", Grade: gradeOK, Found: h.workdir + " can be written to"})
	if !sameFS(filepath.Join(h.workdir, "builds"), filepath.Join(h.workdir, "tmp")) {
		found = append(found, finding{Check: "tmp and builds", Grade: gradeNote, Found: "on different file systems: every artifact is copied instead of renamed"})
	}
	return append(found, fileSystem(h.workdir))
}

// writableFix says how to get a directory written to.
func writableFix(path string, err error) string {
	if errors.Is(err, unix.EROFS) {
		return "mount -o remount,rw the file system of " + path
	}
	return "chown -R $USER " + path
}

// fileSystem warns of overlayfs, on which cosa itself refuses to build.
func fileSystem(dir string) finding {
	var st unix.Statfs_t
	f := finding{Check: "file system", Grade: gradeOK, Found: "a local one"}
	if err := unix.Statfs(dir, &st); err != nil {
		f.Grade, f.Found = gradeNote, reason(err)
	} else if st.Type == unix.OVERLAYFS_SUPER_MAGIC {
		f.Grade, f.Found, f.Fix = gradeNote, "overlayfs: slower, and cosa itself refuses it", "use a volume: podman run -v"
	}
	return f
}

// space looks at what is free.
func (h host) space() []finding {
	dir := h.workdir
	if _, err := os.Stat(filepath.Join(dir, "tmp")); err == nil {
		dir = filepath.Join(dir, "tmp")
	}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return []finding{{Check: "space", Grade: gradeNote, Found: reason(err)}}
	}
	free := st.Bavail * uint64(st.Bsize)
	f := finding{Check: "space", Grade: gradeOK, Found: bytesText(free) + " free in " + dir}
	switch {
	case free < spaceNeeded:
		f.Grade, f.Fix = gradeMissing, "cosafs prune"
	case free < spaceWanted:
		f.Grade, f.Fix = gradeNote, "cosafs prune"
	}
	return []finding{f}
}

// look is exec.LookPath over the host's $PATH.
func (h host) look(name string) (string, error) {
	for _, dir := range filepath.SplitList(h.path) {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", fs.ErrNotExist
}

func canOpen(device string) error {
	f, err := os.OpenFile(device, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

func sameFS(a, b string) bool {
	var sa, sb unix.Stat_t
	if unix.Stat(a, &sa) != nil || unix.Stat(b, &sb) != nil {
		return true // one is missing, and will be made beside the other
	}
	return sa.Dev == sb.Dev
}

// reason is an error without the path, which the line names already.
func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}
