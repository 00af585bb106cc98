package compose

import (
	"math"
	"path/filepath"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// values reads checked fields.
type values struct {
	fields map[string]*field
	base   string // directory that file names are relative to
}

// text gives a scalar as it was written.
func (v values) text(name, absent string) string {
	if f := v.fields[name]; f != nil {
		return f.value.Value
	}
	return absent
}

// boolean gives true or false; the check let nothing else through.
func (v values) boolean(name string, absent bool) bool {
	f := v.fields[name]
	if f == nil {
		return absent
	}
	b, err := strconv.ParseBool(f.value.Value)
	return err == nil && b
}

// list gives a list of strings; nil if the key is not set.
func (v values) list(name string) []string {
	if f := v.fields[name]; f != nil {
		return stringsOf(f.value)
	}
	return nil
}

// lists gives a list of lists.
func (v values) lists(name string) [][]string {
	f := v.fields[name]
	if f == nil {
		return nil
	}
	var out [][]string
	for _, c := range f.value.Content {
		out = append(out, stringsOf(c))
	}
	return out
}

// path makes a file name absolute; "" stays "".
func (v values) path(name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(v.base, name)
}

// metadata looks a word up in metadata, else in its predecessor rojig.
func (v values) metadata(name string) string {
	for _, key := range []string{"metadata", "rojig"} {
		if f := v.fields[key]; f != nil {
			if n := entry(f.value, name); n != nil && n.Kind == yaml.ScalarNode {
				return n.Value
			}
		}
	}
	return ""
}

// textMap gives a map with its values as they were written.
func (v values) textMap(name string) map[string]string {
	f := v.fields[name]
	if f == nil {
		return nil
	}
	out := map[string]string{}
	for i := 0; i+1 < len(f.value.Content); i += 2 {
		out[f.value.Content[i].Value] = f.value.Content[i+1].Value
	}
	return out
}

// anyMap gives a map as encoding/json would.
func (v values) anyMap(name string) map[string]any {
	f := v.fields[name]
	if f == nil {
		return nil
	}
	m, _ := plain(f.value).(map[string]any) // a checked map
	return m
}

// repoPackages gives each package once, in the list that wins.
func (v values) repoPackages() []RepoPackages {
	f := v.fields["repo-packages"]
	if f == nil {
		return nil
	}
	var out []RepoPackages
	for _, n := range f.value.Content {
		packages, _ := splitPackages(stringsOf(entry(n, "packages"))) // split once already by the check
		out = append(out, RepoPackages{entry(n, "repo").Value, packages})
	}
	return dropRepeated(out)
}

// check gives check-passwd or check-groups.
func (v values) check(name string) *Check {
	f := v.fields[name]
	if f == nil {
		return nil
	}
	c := &Check{Type: entry(f.value, "type").Value}
	if n := entry(f.value, "filename"); n != nil {
		c.Filename = v.path(n.Value)
	}
	if n := entry(f.value, "entries"); n != nil {
		c.Entries, _ = plain(n).(map[string]any) // a checked map
	}
	return c
}

// plain turns a node into what encoding/json would give for the same text.
func plain(n *yaml.Node) any {
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			m[n.Content[i].Value] = plain(n.Content[i+1])
		}
		return m
	case yaml.SequenceNode:
		list := []any{}
		for _, c := range n.Content {
			list = append(list, plain(c))
		}
		return list
	}
	var v any
	switch n.ShortTag() {
	case "!!bool", "!!int", "!!float", "!!null":
		if n.Decode(&v) != nil {
			return n.Value
		}
		if f, ok := v.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
			return n.Value // JSON can't hold them
		}
		return v
	}
	return n.Value
}
