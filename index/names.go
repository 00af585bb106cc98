package index

import "strings"

// FileName gives the name of an artifact's file as cosa makes it, such as
// fedora-coreos-41.20250102.dev.1-qemu.x86_64.qcow2, where name is that of the
// OS. It fails for unknown kinds, and where the parts give no file name.
func FileName(kind Kind, name string, id BuildID, arch Arch) (string, bool) {
	f, ok := formOf(kind)
	if !ok || name == "" || id == "" || (arch == "" && f.separator != "") {
		return "", false
	}
	file := name + "-" + string(id) + f.token + f.suffix
	if f.separator != "" {
		file = name + "-" + string(id) + f.token + f.separator + string(arch) + f.suffix
	}
	return file, ValidName(file)
}

// compressions are the suffixes, without dot, that files get when compressed.
var compressions = []string{"gz", "xz", "zst", "zip"}

// ParseFileName tells which kind of artifact a file of a build is. It knows the
// names of all eras: with and without architecture (before 2019-09-30), classic
// and osbuild. Compression is gz, xz, zst or zip where the file was compressed
// on top; "" where the suffix belongs to the kind, such as gcp's tar.gz. A file
// of another build or architecture is not ok.
func ParseFileName(file, name string, id BuildID, arch Arch) (kind Kind, compression string, ok bool) {
	rest, ok := strings.CutPrefix(file, name+"-"+string(id))
	if !ok || !ValidName(file) {
		return "", "", false
	}
	if kind, ok = kindOf(rest, arch); ok {
		return kind, "", true
	}
	for _, c := range compressions {
		if plain, found := strings.CutSuffix(rest, "."+c); found {
			if kind, ok = kindOf(plain, arch); ok {
				return kind, c, true
			}
		}
	}
	return "", "", false
}

// kindOf matches what follows the build id in a file name.
func kindOf(rest string, arch Arch) (Kind, bool) {
	for _, list := range [][]form{forms, otherForms} {
		for _, f := range list {
			if f.matches(rest, string(arch)) {
				return f.kind, true
			}
		}
	}
	return "", false
}

// matches compares without building the name, as it runs for every file of a tree.
func (f *form) matches(rest, arch string) bool {
	middle, ok := strings.CutPrefix(rest, f.token)
	if !ok {
		return false
	}
	middle, ok = strings.CutSuffix(middle, f.suffix)
	if !ok || middle == "" {
		return ok // a name without architecture
	}
	separator, ok := strings.CutSuffix(middle, arch)
	return ok && arch != "" && separator != "" && separator == f.separator
}
