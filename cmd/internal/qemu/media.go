package qemu

import (
	"encoding/json"
	"errors"
	"os"
	"strconv"
	"strings"
)

// A Media is what a machine boots: a disk, a CD, or a kernel. It is made by
// [Open] and [OpenKernel]; [Media.Close] ends it.
type Media struct {
	Name string // for people

	// A disk or CD.
	node   any    // qemu's block node that holds the image (see QAPI's BlockdevOptions); nil = none
	format string // qemu's driver of the image
	cd     bool
	sector int // bytes, of a disk

	// A kernel with its initial root, and its arguments.
	kernel, initrd, append string

	// files have no name; qemu finds them as its descriptors 3, 4, ...
	files []*os.File
}

// Close gives up what the media holds, all of which has no name. A machine that
// runs keeps its own hold of it.
func (m *Media) Close() error {
	var errs []error
	for _, f := range m.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// live says whether the media's system has its root in memory.
func (m *Media) live() bool { return m.cd || m.kernel != "" }

// hold keeps a file for qemu, and gives the path under which qemu opens it.
func (m *Media) hold(f *os.File) string {
	m.files = append(m.files, f)
	return "/proc/self/fd/" + strconv.Itoa(2+len(m.files))
}

// args attach the media.
func (m *Media) args() []string {
	switch {
	case m.kernel != "":
		return []string{"-kernel", m.kernel, "-initrd", m.initrd, "-append", m.append}
	case m.cd:
		// By virtio: many cloud kernels have no driver for IDE.
		return []string{
			"-drive", "if=none,id=cd0,media=cdrom,readonly=on,format=" + m.format + ",file=" + m.file(),
			"-device", "virtio-scsi-pci,id=scsi0", "-device", "scsi-cd,drive=cd0,bus=scsi0.0,bootindex=1",
		}
	}
	device := "virtio-blk-pci,drive=disk0,bootindex=1"
	if m.sector > 512 {
		n := strconv.Itoa(m.sector)
		device += ",logical_block_size=" + n + ",physical_block_size=" + n
	}
	// The format is said, as an image could otherwise claim to be of another and
	// name files of the host.
	return []string{"-drive", "if=none,id=disk0,snapshot=on,cache=unsafe,format=" + m.format + ",file=" + m.file(), "-device", device}
}

// file says where the image is: a path where one will do.
func (m *Media) file() string {
	if path, ok := m.node.(string); ok {
		return escape(path)
	}
	doc, err := json.Marshal(map[string]any{"file": m.node})
	if err != nil {
		return "" // not reached: nodes are strings and numbers
	}
	return escape("json:" + string(doc))
}

// formatOf gives qemu's driver for an image by its file's name, which is what
// cosa goes by, too.
func formatOf(name string) (format string, ok bool) {
	if strings.HasSuffix(name, ".img") && strings.Contains(name, "live-") {
		return "", false // an initrd
	}
	for suffix, format := range map[string]string{
		".qcow2": "qcow2", ".raw": "raw", ".img": "raw", ".vhd": "vpc", ".vhdx": "vhdx", ".vmdk": "vmdk", ".iso": "raw",
	} {
		if strings.HasSuffix(name, suffix) {
			return format, true
		}
	}
	return "", false
}
