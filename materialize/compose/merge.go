package compose

import (
	"slices"

	"go.yaml.in/yaml/v3"
)

// merge takes the fields of an included treefile into those of the including one.
func merge(dest, src map[string]*field) {
	known := knownKeys()
	for name, from := range src {
		into := dest[name]
		switch k := known[name].kind; {
		case into == nil:
			dest[name] = from
		case !k.merges(): // the including file wins
		case k == kindMap || k == kindScalarMap:
			into.value = mergeMaps(into.value, from.value)
		case k == kindPackages:
			into.value = setNode(append(stringsOf(into.value), stringsOf(from.value)...))
		default:
			list := *into.value
			list.Content = slices.Concat(from.value.Content, into.value.Content)
			into.value = &list
		}
	}
}

// mergeMaps gives a map with the entries of both; those of dest win.
func mergeMaps(dest, src *yaml.Node) *yaml.Node {
	out := *dest
	out.Content = slices.Clone(dest.Content)
	for i := 0; i+1 < len(src.Content); i += 2 {
		if entry(dest, src.Content[i].Value) == nil {
			out.Content = append(out.Content, src.Content[i], src.Content[i+1])
		}
	}
	return &out
}

// dropRepeated leaves each package of repo-packages in the last list that names
// it, which is the one of the outermost file.
func dropRepeated(list []RepoPackages) []RepoPackages {
	seen := map[string]bool{}
	var out []RepoPackages
	for _, rp := range slices.Backward(list) {
		var keep []string
		for _, p := range rp.Packages {
			if !seen[p] {
				seen[p] = true
				keep = append(keep, p)
			}
		}
		if len(keep) > 0 {
			out = append(out, RepoPackages{rp.Repo, keep})
		}
	}
	slices.Reverse(out)
	return out
}
