package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"cosafs/materialize"
)

const (
	grubDir = "/usr/lib/grub" // where Debian has GRUB's modules
	// kargsArea is the room that coreos-installer has for other arguments, and
	// ignitionArea the one for an Ignition configuration.
	kargsArea    = 2048      // bytes
	ignitionArea = 256 << 10 // bytes
)

// menu is the boot loader's, with the embed area of arguments: what is not arguments is
// a comment in a line of its own. Tools that don't read kargs.json, such as OpenShift's,
// find the area by the name at its end.
const menu = `# Made by cosafs.
set timeout=1
menuentry "%s (Live)" {
  linux /%s %s COREOS_KARG_EMBED_AREA
  initrd /%s /%s
}
`

// bootloader puts GRUB for BIOS and UEFI and its menu there, and says where arguments
// and configuration can be embedded.
func (m *maker) bootloader(ctx context.Context) error {
	kargs := m.kargs + " coreos.liveiso=" + m.req.Label
	if len(kargs) > kargsArea/2 {
		return materialize.Fail(materialize.ClassConfig, op, "shorten extra-kargs in image.yaml",
			fmt.Errorf("kernel arguments of %d bytes: %w", len(kargs), fs.ErrInvalid))
	}
	area := kargs + "\n" + strings.Repeat("#", kargsArea-len(kargs)-1)
	text := fmt.Sprintf(menu, m.req.Job.OS+" "+m.req.Job.Build, kernelFile, area, initramfsFile, ignitionFile)
	for name, content := range map[string]any{
		"coreos/kargs.json":   embedArea(kargs, strings.Index(text, area)),
		"coreos/igninfo.json": map[string]string{"file": ignitionFile},
	} {
		b, err := json.MarshalIndent(content, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(m.in(name), append(b, '\n'), 0o644); err != nil {
			return err
		}
	}
	err := errors.Join(os.WriteFile(m.in(grubConfig), []byte(text), 0o644), os.WriteFile(m.in("coreos/features.json"), []byte(m.features), 0o644),
		os.WriteFile(m.in(ignitionFile), make([]byte, ignitionArea), 0o644))
	if err != nil {
		return err
	}
	return errors.Join(m.biosGRUB(ctx), m.efiGRUB(ctx))
}

// embedArea describes the area in the menu, as coreos-installer's iso kargs reads it.
func embedArea(kargs string, offset int) any {
	type file struct {
		Path   string `json:"path"`
		Offset int    `json:"offset"`
		End    string `json:"end"`
		Pad    string `json:"pad"`
	}
	return struct {
		Default string `json:"default"`
		Files   []file `json:"files"`
		Size    int    `json:"size"`
	}{kargs, []file{{grubConfig, offset, "\n", "#"}}, kargsArea}
}

// modules are what GRUB needs to find the menu and start a kernel from the ISO.
const modules = "iso9660 part_gpt part_msdos normal configfile search search_label linux test echo serial terminal minicmd ls cat reboot halt"

func (m *maker) biosGRUB(ctx context.Context) error {
	args := []string{"-O", "i386-pc-eltorito", "-d", filepath.Join(grubDir, "i386-pc"), "-p", "/boot/grub2", "-o", m.in(biosFile), "biosdisk"}
	return m.Run(ctx, "grub-mkimage", append(args, strings.Fields(modules)...)...)
}

// efiGRUB makes the EFI system partition, whose GRUB looks for the ISO by its label.
func (m *maker) efiGRUB(ctx context.Context) error {
	early, dir := filepath.Join(m.temp, "early.cfg"), filepath.Join(m.temp, "EFI/BOOT")
	text := fmt.Sprintf("search --no-floppy --label \"%s\" --set root\nset prefix=($root)/boot/grub2\nconfigfile ($root)/%s\n", m.req.Label, grubConfig)
	if err := errors.Join(os.WriteFile(early, []byte(text), 0o600), os.MkdirAll(dir, 0o755)); err != nil {
		return err
	}
	program := filepath.Join(dir, "BOOTX64.EFI")
	args := []string{"-O", "x86_64-efi", "-d", filepath.Join(grubDir, "x86_64-efi"), "-p", "/boot/grub2", "-c", early, "-o", program, "fat"}
	if err := m.Run(ctx, "grub-mkimage", append(args, strings.Fields(modules)...)...); err != nil {
		return err
	}
	st, err := os.Stat(program)
	if err != nil {
		return err
	}
	if err := m.Settle(ctx, filepath.Join(m.temp, "EFI")); err != nil {
		return err
	}
	kib := st.Size()/1024 + 1024
	if err := m.Run(ctx, "mkfs.fat", "-C", "--invariant", "-n", "EFIBOOT", m.in(efiFile), strconv.FormatInt(kib, 10)); err != nil {
		return err
	}
	return m.Run(ctx, "mcopy", "-i", m.in(efiFile), "-s", "-m", filepath.Join(m.temp, "EFI"), "::")
}

// image writes the ISO.
func (m *maker) image(ctx context.Context) error {
	if m.installs {
		if err := os.WriteFile(m.in(minisoFile), make([]byte, minisoSize), 0o644); err != nil { // #nosec G306: the images are for everybody
			return err
		}
	}
	return m.writeISO(ctx, m.files().ISO)
}

// writeISO writes an ISO of the files there are as grub-mkrescue does: a CD that BIOS and
// UEFI boot, and a disk with a partition table. SOURCE_DATE_EPOCH is the time of all in it.
func (m *maker) writeISO(ctx context.Context, path string) error {
	if err := m.Settle(ctx, m.iso); err != nil {
		return err
	}
	return m.Run(ctx, "xorriso", "-as", "mkisofs", "-quiet", "-r", "-V", m.req.Label, "-o", path,
		"-b", biosFile, "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table",
		"--grub2-boot-info", "--grub2-mbr", filepath.Join(grubDir, "i386-pc/boot_hybrid.img"),
		"--efi-boot", efiFile, "-efi-boot-part", "--efi-boot-image", "--protective-msdos-label", m.iso)
}
