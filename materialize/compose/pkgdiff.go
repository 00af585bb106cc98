package compose

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"cosafs/materialize"
)

// The kinds of change in a pkgdiff, RpmOstreePackageDiffType's numbers.
const (
	diffAdded = iota
	diffRemoved
	diffUpgraded
	diffDowngraded
)

// PkgDiff gives meta.json's pkgdiff between two package lists: a list, sorted by
// name, of [name, kind, {PreviousPackage, NewPackage}], each package being
// [name, epoch:version-release, arch] with an epoch of 0 left out. It is the
// form that rpm-ostree writes; "[]" means no difference.
func PkgDiff(prev, next []materialize.Package) json.RawMessage {
	removed, added := subtract(prev, next), subtract(next, prev)
	changes := [][3]any{}
	either := maps.Clone(removed)
	maps.Copy(either, added)
	for _, name := range slices.Sorted(maps.Keys(either)) {
		old, now := removed[name], added[name]
		// One package of the name on either side is a change of its version;
		// with several, such as kernels side by side, it can't be told which.
		if len(old) == 1 && len(now) == 1 {
			kind := diffUpgraded
			if compareEVR(now[0], old[0]) < 0 {
				kind = diffDowngraded
			}
			changes = append(changes, [3]any{name, kind, map[string]any{"PreviousPackage": nevra(old[0]), "NewPackage": nevra(now[0])}})
			continue
		}
		for _, p := range old {
			changes = append(changes, [3]any{name, diffRemoved, map[string]any{"PreviousPackage": nevra(p)}})
		}
		for _, p := range now {
			changes = append(changes, [3]any{name, diffAdded, map[string]any{"NewPackage": nevra(p)}})
		}
	}
	data, err := json.Marshal(changes)
	if err != nil { // strings and numbers only
		return nil
	}
	return data
}

// subtract gives the packages of a that are not in b, by name and sorted.
func subtract(a, b []materialize.Package) map[string][]materialize.Package {
	in := map[materialize.Package]bool{}
	for _, p := range b {
		in[p] = true
	}
	out := map[string][]materialize.Package{}
	for _, p := range a {
		if !in[p] {
			out[p.Name] = append(out[p.Name], p)
		}
	}
	for _, list := range out {
		slices.SortFunc(list, func(x, y materialize.Package) int {
			return cmp.Or(compareEVR(x, y), cmp.Compare(x.Arch, y.Arch))
		})
	}
	return out
}

// nevra names a package as pkgdiff does; it has no entry for the epoch of its own.
func nevra(p materialize.Package) [3]string {
	return [3]string{p.Name, p.EVR(), p.Arch}
}

// compareEVR orders packages by epoch, version and release as rpm does.
func compareEVR(a, b materialize.Package) int {
	return cmp.Or(
		compareVersions(cmp.Or(a.Epoch, "0"), cmp.Or(b.Epoch, "0")),
		compareVersions(a.Version, b.Version),
		compareVersions(a.Release, b.Release),
	)
}

// compareVersions is rpm's rpmvercmp: runs of digits compare as numbers and win
// over letters, "~" sorts before everything, "^" after the end but before more.
func compareVersions(a, b string) int {
	for {
		a, b = trimSeparators(a), trimSeparators(b)
		for _, mark := range []byte("~^") {
			hasA, hasB := starts(a, mark), starts(b, mark)
			switch {
			case hasA && hasB:
				return compareVersions(a[1:], b[1:])
			case hasA:
				return against(mark, b)
			case hasB:
				return -against(mark, a)
			}
		}
		if a == "" || b == "" {
			return cmp.Compare(len(a), len(b))
		}
		segA, segB := segment(a), segment(b)
		if c := compareSegments(segA, segB); c != 0 {
			return c
		}
		a, b = a[len(segA):], b[len(segB):]
	}
}

// against orders a string that goes on with a mark against other: "~" is always
// less, "^" is more than the end and less than anything else.
func against(mark byte, other string) int {
	if mark == '^' && other == "" {
		return 1
	}
	return -1
}

func starts(s string, c byte) bool { return s != "" && s[0] == c }

func trimSeparators(s string) string {
	return strings.TrimLeftFunc(s, func(r rune) bool {
		return r != '~' && r != '^' && !isDigit(r) && !isLetter(r)
	})
}

// segment gives the leading run of digits or of letters.
func segment(s string) string {
	same := isLetter
	if isDigit(rune(s[0])) {
		same = isDigit
	}
	return s[:len(s)-len(strings.TrimLeftFunc(s, same))]
}

// compareSegments orders two runs as numbers of any length or as letters.
func compareSegments(a, b string) int {
	numA, numB := isDigit(rune(a[0])), isDigit(rune(b[0]))
	switch {
	case numA && numB:
		a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	case numA:
		return 1
	case numB:
		return -1
	default:
		return cmp.Compare(a, b)
	}
}

func isDigit(r rune) bool  { return r >= '0' && r <= '9' }
func isLetter(r rune) bool { return (r >= 'a' && r <= 'z') || (r >= 'A' && r <= 'Z') }
