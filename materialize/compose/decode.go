package compose

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"cosafs/materialize"
)

// LoadTreefile reads the configuration's manifest with everything that it
// includes. A mistake in it is a [materialize.Failure] of ClassConfig whose
// hint says which file and line to edit; a [SourceError] in its chain holds
// both. Files that the manifest names beside includes are not opened.
func LoadTreefile(cfg Config) (*Treefile, error) {
	cfg = cfg.WithDefaults()
	l := &loader{
		arch: cfg.Arch, base: filepath.Dir(cfg.Manifest),
		seen: map[inode]bool{}, vars: map[string]*yaml.Node{},
	}
	fields, err := l.load(cfg.Manifest, 0)
	if err == nil {
		err = substitute(fields, l.vars)
	}
	if err != nil {
		return nil, asFailure(err)
	}
	t := decode(fields, l.base)
	t.Arch, t.Files, t.Variables = cfg.Arch, l.files, map[string]string{}
	for name, v := range l.vars {
		t.Variables[name] = v.Value
	}
	return t, nil
}

// asFailure gives mistakes in the manifest their class and hint.
func asFailure(err error) error {
	if f, ok := errors.AsType[*materialize.Failure](err); ok {
		return f
	}
	if e, ok := errors.AsType[*SourceError](err); ok {
		return e.failure()
	}
	return err
}

// UnsupportedByDNF gives the keys that are set and that the dnf engine can't
// honour, sorted; empty if it can compose the treefile.
func (t *Treefile) UnsupportedByDNF() []string {
	var out []string
	for name, k := range knownKeys() {
		f := t.merged[name]
		if f == nil || !k.rpmOnly {
			continue
		}
		value := f.value.Value
		if k.kind == kindCheck {
			value = entry(f.value, "type").Value
		}
		if slices.Contains(k.harmless, value) || (name == "ostree-layers" && t.layersAreOverlays()) {
			continue
		}
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// layersAreOverlays says whether the layers are directories of overlay.d, which
// both engines lay over the packages whether the manifest names them or not.
func (t *Treefile) layersAreOverlays() bool {
	return !slices.ContainsFunc(t.OstreeLayers, func(ref string) bool {
		name, ok := strings.CutPrefix(ref, "overlay/")
		info, err := os.Stat(filepath.Join(filepath.Dir(t.Files[0]), "overlay.d", name))
		return !ok || err != nil || !info.IsDir()
	})
}

// Where says which file and line set a key; "" and 0 if none did.
func (t *Treefile) Where(key string) (file string, line int) {
	if f := t.merged[key]; f != nil {
		return f.file, f.line
	}
	return "", 0
}

// decode gives the merged fields their types. They were checked when they were
// parsed, so nothing can fail here.
func decode(fields map[string]*field, base string) *Treefile {
	v := values{fields, base}
	t := &Treefile{merged: fields}
	t.Name, t.Summary, t.License = v.metadata("name"), v.metadata("summary"), v.metadata("license")
	t.Edition, t.Ref = v.text("edition", "2014"), v.text("ref", "")
	decodePackages(t, v)
	decodeContents(t, v)
	t.AutomaticVersionPrefix = v.text("automatic-version-prefix", "")
	t.AutomaticVersionSuffix = v.text("automatic-version-suffix", "")
	t.MutateOSRelease = v.text("mutate-os-release", "")
	t.AddCommitMetadata = v.anyMap("add-commit-metadata")
	t.PreservePasswd = v.boolean("preserve-passwd", true)
	t.CheckPasswd, t.CheckGroups = v.check("check-passwd"), v.check("check-groups")
	t.IgnoreRemovedUsers, t.IgnoreRemovedGroups = v.list("ignore-removed-users"), v.list("ignore-removed-groups")
	t.EtcGroupMembers = v.list("etc-group-members")
	decodeLayout(t, v)
	return t
}

// decodePackages reads what is installed, and from where.
func decodePackages(t *Treefile, v values) {
	t.Packages, t.ExcludePackages = v.list("packages"), v.list("exclude-packages")
	t.Repos, t.LockfileRepos = v.list("repos"), v.list("lockfile-repos")
	t.Releasever, t.RepoVars = v.text("releasever", ""), v.textMap("repovars")
	t.Recommends, t.Documentation = v.boolean("recommends", true), v.boolean("documentation", true)
	t.InstallLangs = v.list("install-langs")
	t.RepoPackages = v.repoPackages()
	t.OstreeLayers, t.OstreeOverrideLayers = v.list("ostree-layers"), v.list("ostree-override-layers")
}

// decodeContents reads what is done to the installed tree.
func decodeContents(t *Treefile, v values) {
	for _, pair := range v.lists("add-files") {
		t.AddFiles = append(t.AddFiles, AddFile{Source: v.path(pair[0]), Target: pair[1]})
	}
	t.RemoveFiles, t.RemoveFromPackages = v.list("remove-files"), v.lists("remove-from-packages")
	t.Postprocess = v.list("postprocess")
	t.PostprocessScript = v.path(v.text("postprocess-script", ""))
	t.Units, t.DefaultTarget = v.list("units"), v.text("default-target", "")
}

// decodeLayout reads how the tree boots and updates, with rpm-ostree's defaults.
func decodeLayout(t *Treefile, v values) {
	t.InitramfsArgs, t.NoInitramfs = v.list("initramfs-args"), v.boolean("no-initramfs", false)
	t.BootLocation = v.text("boot-location", "new")
	t.TmpIsDir = v.boolean("tmp-is-dir", false)
	t.MachineidCompat = v.boolean("machineid-compat", true)
	t.SELinux = v.boolean("selinux", true)
	t.Rpmdb = v.text("rpmdb", "target")
	t.Container = v.boolean("container", false)
	if t.Container { // what "container" implies in rpm-ostree
		t.SELinux, t.PreservePasswd, t.CheckPasswd, t.CheckGroups = false, false, nil, nil
	}
	if t.Container || t.Edition == "2024" { // the defaults of that edition
		t.BootLocation, t.TmpIsDir = "modules", true
	}
}
