package compose

import (
	"maps"
	"strings"
)

// A kind is the shape of a key's value, and so how two values merge: scalars
// of the including file win, lists are concatenated with the included one in
// front, of maps the including file's entries win (measured with
// `rpm-ostree compose tree --print-only`).
type kind int

const (
	kindString       kind = iota
	kindVersion           // string or whole number
	kindBool              // true or false
	kindInt               // whole number
	kindEnum              // one of key.values
	kindStrings           // list of strings
	kindPackages          // list of strings that hold package names, merged as a set
	kindPairs             // list of [source, target]
	kindLists             // list of lists of strings
	kindRepoPackages      // list of {repo, packages}
	kindMap               // string -> anything
	kindScalarMap         // string -> string, number or boolean
	kindCheck             // {type, filename, entries}
	kindInclude           // string or list of strings
	kindArchInclude       // basearch -> include
	kindConditional       // list of {if, include}
)

// merges says whether values of the kind are combined; others replace.
func (k kind) merges() bool {
	switch k {
	case kindStrings, kindPackages, kindPairs, kindLists, kindRepoPackages, kindMap, kindScalarMap:
		return true
	default:
		return false
	}
}

// A key is one key that rpm-ostree knows.
type key struct {
	kind   kind
	values []string // of kindEnum
	// rpmOnly means that the dnf engine can't honour the key, unless its value
	// is among harmless, which asks for what the dnf engine does anyway.
	rpmOnly  bool
	harmless []string
}

// knownKeys are the keys of rpm-ostree 2025.6 and 2026.2, grouped as in its
// treefile reference. A key that is not here is refused by name, as rpm-ostree
// does: a typo must never pass.
func knownKeys() map[string]key {
	out := map[string]key{}
	for _, group := range []map[string]key{identityKeys(), packageKeys(), contentKeys(), layoutKeys()} {
		maps.Copy(out, group)
	}
	return out
}

// rpmOnly is a key that the dnf engine can't honour but for harmless values.
func rpmOnly(k kind, harmless ...string) key {
	return key{kind: k, rpmOnly: true, harmless: harmless}
}

// enum is a key with a fixed set of values.
func enum(values ...string) key { return key{kind: kindEnum, values: values} }

// identityKeys say what is made and how it is called.
func identityKeys() map[string]key {
	return map[string]key{
		"edition":                  enum("2014", "2024"),
		"ref":                      {kind: kindString},
		"metadata":                 {kind: kindMap},
		"rojig":                    {kind: kindMap}, // before metadata, with the same keys
		"basearch":                 {kind: kindString},
		"variables":                {kind: kindScalarMap},
		"automatic-version-prefix": {kind: kindString},
		"automatic-version-suffix": {kind: kindString},
		"mutate-os-release":        {kind: kindString},
		"add-commit-metadata":      {kind: kindMap},
		"gpg-key":                  rpmOnly(kindString), // signs the commit

		"include":             {kind: kindInclude},
		"arch-include":        {kind: kindArchInclude},
		"conditional-include": {kind: kindConditional},
	}
}

// packageKeys say which packages are installed, and from where.
func packageKeys() map[string]key {
	return map[string]key{
		"repos":           {kind: kindStrings},
		"lockfile-repos":  rpmOnly(kindStrings),
		"releasever":      {kind: kindVersion},
		"repovars":        {kind: kindScalarMap},
		"platform-module": rpmOnly(kindString),

		"packages":           {kind: kindPackages},
		"bootstrap_packages": {kind: kindPackages}, // both spellings are deprecated
		"bootstrap-packages": {kind: kindPackages},
		"repo-packages":      {kind: kindRepoPackages},
		"exclude-packages":   {kind: kindStrings},
		"recommends":         {kind: kindBool},
		"documentation":      {kind: kindBool},
		"install-langs":      {kind: kindStrings},
	}
}

// contentKeys say what is done to the installed tree.
func contentKeys() map[string]key {
	return map[string]key{
		"ostree-layers":          rpmOnly(kindStrings),
		"ostree-override-layers": rpmOnly(kindStrings),
		"add-files":              {kind: kindPairs},
		"remove-files":           {kind: kindStrings},
		"remove-from-packages":   {kind: kindLists},
		"postprocess":            {kind: kindStrings},
		"postprocess-script":     {kind: kindString},

		"preserve-passwd":       {kind: kindBool},
		"check-passwd":          rpmOnly(kindCheck, "none", "previous"),
		"check-groups":          rpmOnly(kindCheck, "none", "previous"),
		"ignore-removed-users":  {kind: kindPackages}, // merged as sets
		"ignore-removed-groups": {kind: kindPackages},
		"etc-group-members":     {kind: kindStrings},
		"sysusers":              rpmOnly(kindString),
	}
}

// layoutKeys say what the tree looks like to what boots and updates it.
func layoutKeys() map[string]key {
	return map[string]key{
		"boot-location":    enum("new", "modules", "kernel-install"),
		"initramfs-args":   {kind: kindStrings},
		"no-initramfs":     {kind: kindBool},
		"machineid-compat": {kind: kindBool},
		"units":            {kind: kindStrings},
		"default-target":   {kind: kindString},
		"container":        rpmOnly(kindBool, "false"),
		"container-cmd":    rpmOnly(kindStrings),

		"selinux":               rpmOnly(kindBool, "false"),
		"selinux-label-version": rpmOnly(kindInt),
		"ima":                   rpmOnly(kindBool, "false"),
		"ignore-devices":        rpmOnly(kindBool),
		"tmp-is-dir":            {kind: kindBool},
		"opt-usrlocal": {kind: kindEnum, values: []string{"var", "root", "state-overlay", "stateoverlay"},
			rpmOnly: true, harmless: []string{"var"}},
		"readonly-executables": rpmOnly(kindBool, "false"),
		"cliwrap":              rpmOnly(kindBool, "false"),
		"cliwrap-binaries":     rpmOnly(kindStrings),

		"rpmdb": {kind: kindEnum, values: []string{"target", "host", "sqlite", "bdb", "b-d-b", "ndb"},
			rpmOnly: true, harmless: []string{"target", "host", "sqlite"}},
		"rpmdb-normalize":     {kind: kindBool},
		"repo-metadata":       enum("inline", "detached", "disabled"),
		"advisories-metadata": enum("inline", "detached", "disabled"),
	}
}

// legacyKeys are old spellings that rpm-ostree still reads. Using both
// spellings in one file is an error.
func legacyKeys() map[string]string {
	return map[string]string{
		"gpg_key":                  "gpg-key",
		"boot_location":            "boot-location",
		"default_target":           "default-target",
		"automatic_version_prefix": "automatic-version-prefix",
		"bootstrap_packages":       "packages",
	}
}

// archPackages gives the architecture of a packages-ARCH key.
func archPackages(name string) (string, bool) { return strings.CutPrefix(name, "packages-") }
