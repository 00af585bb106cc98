package compose

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"cosafs/materialize"
)

// A SourceError is a mistake at a place of a treefile. Its text follows
// rpm-ostree's, so that both say the same of the same manifest.
type SourceError struct {
	File   string
	Line   int    // 0 if unknown
	Key    string // "" if the whole file is wrong
	Reason string
	Err    error // cause; may be nil
}

// Error gives the text without a hint.
func (e *SourceError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("Parsing %s: %s", e.File, e.Reason)
	}
	return fmt.Sprintf("Parsing %s: %s at line %d", e.File, e.Reason, e.Line)
}

// Unwrap gives the cause.
func (e *SourceError) Unwrap() error { return e.Err }

// failure turns the mistake into one that tells what to edit.
func (e *SourceError) failure() *materialize.Failure {
	hint := "edit " + e.File
	if e.Line > 0 {
		hint += fmt.Sprintf(", line %d", e.Line)
	}
	if e.Key != "" {
		hint += ", key " + e.Key
	}
	return materialize.Fail(materialize.ClassConfig, "read manifest", hint, e)
}

// errorf makes a SourceError of the field. A cause given with %w stays in the chain.
func (f *field) errorf(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return &SourceError{File: f.file, Line: f.line, Key: f.name, Reason: err.Error(), Err: err}
}

// check says whether the value has the shape that its key wants.
func (f *field) check(k key) error {
	want := ""
	switch n := f.value; k.kind {
	case kindString:
		want = expect(isString(n), "a string")
	case kindVersion:
		want = expect(isString(n) || isInt(n), "a string or an integer")
	case kindBool:
		want = expect(n.ShortTag() == "!!bool", "a boolean")
	case kindInt:
		want = expect(isInt(n), "an integer")
	case kindEnum:
		if !isScalar(n) || !slices.Contains(k.values, n.Value) {
			return f.errorf("unknown variant `%s`, expected one of `%s`", n.Value, strings.Join(k.values, "`, `"))
		}
	case kindStrings, kindPackages:
		want = expect(isStrings(n), "a sequence of strings")
	case kindPairs:
		want = expect(isListOf(n, func(c *yaml.Node) bool { return isStrings(c) && len(c.Content) == 2 }), "a sequence of [source, target]")
	case kindLists:
		want = expect(isListOf(n, func(c *yaml.Node) bool { return isStrings(c) && len(c.Content) > 0 }), "a sequence of sequences of strings")
	case kindRepoPackages:
		want = expect(isListOf(n, isRepoPackages), "a sequence of {repo, packages}")
	case kindMap:
		want = expect(isMap(n), "a map")
	case kindScalarMap:
		want = expect(isMap(n) && allValues(n, isScalar), "a map of strings, numbers and booleans")
	case kindCheck:
		want = expect(isCheck(n), "{type: none, previous, file or data, filename, entries}")
	case kindInclude:
		want = expect(isString(n) || isStrings(n), "a string or a sequence of strings")
	case kindArchInclude:
		want = expect(isMap(n) && allValues(n, isInclude), "a map of architectures to files")
	case kindConditional:
		want = expect(isListOf(n, isConditional), "a sequence of {if, include}")
	}
	if want == "" {
		return nil
	}
	e := f.errorf("%s: invalid type: %s, expected %s", f.name, describe(f.value), want)
	if _, isArch := archPackages(f.name); isArch {
		e = f.errorf("Invalid field %s: expected array of strings", f.name)
	}
	return e
}

// expect gives what was wanted, or "" if the value is as it should be.
func expect(ok bool, want string) string {
	if ok {
		return ""
	}
	return want
}

// describe names a value for a message.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "map"
	case yaml.SequenceNode:
		return "sequence"
	}
	switch n.ShortTag() {
	case "!!str":
		return fmt.Sprintf("string %q", n.Value)
	case "!!bool":
		return "boolean `" + n.Value + "`"
	case "!!int":
		return "integer `" + n.Value + "`"
	case "!!null":
		return "unit value"
	default:
		return "`" + n.Value + "`"
	}
}

// What follows recognises shapes of values. Types are YAML 1.2's: yes and on are
// strings, as they are for rpm-ostree's parser.

func isNull(n *yaml.Node) bool   { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }
func isScalar(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && !isNull(n) }
func isString(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" }
func isInt(n *yaml.Node) bool    { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!int" }

// isListOf says whether a value is a list whose items all are of a shape.
func isListOf(n *yaml.Node, item func(*yaml.Node) bool) bool {
	return n.Kind == yaml.SequenceNode && !slices.ContainsFunc(n.Content, func(c *yaml.Node) bool { return !item(c) })
}

func isStrings(n *yaml.Node) bool { return isListOf(n, isString) }

func isInclude(n *yaml.Node) bool { return isString(n) || isStrings(n) }

// isMap accepts string keys, each once.
func isMap(n *yaml.Node) bool {
	if n.Kind != yaml.MappingNode {
		return false
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if k := n.Content[i]; !isScalar(k) || seen[k.Value] {
			return false
		}
		seen[n.Content[i].Value] = true
	}
	return true
}

// allValues says whether all values of a map are of a shape.
func allValues(n *yaml.Node, ok func(*yaml.Node) bool) bool {
	for i := 1; i < len(n.Content); i += 2 {
		if !ok(n.Content[i]) {
			return false
		}
	}
	return true
}

// isRepoPackages accepts {repo: string, packages: [strings]}.
func isRepoPackages(n *yaml.Node) bool {
	if !isMap(n) || len(n.Content) != 4 {
		return false
	}
	repo, packages := entry(n, "repo"), entry(n, "packages")
	if repo == nil || !isString(repo) || packages == nil || !isStrings(packages) {
		return false
	}
	_, err := splitPackages(stringsOf(packages))
	return err == nil
}

// isCheck accepts what check-passwd takes; type file needs a file name.
func isCheck(n *yaml.Node) bool {
	if !isMap(n) {
		return false
	}
	t, file := entry(n, "type"), entry(n, "filename")
	if t == nil || !slices.Contains([]string{"none", "previous", "file", "data"}, t.Value) {
		return false
	}
	if t.Value == "file" && file == nil {
		return false
	}
	entries := entry(n, "entries")
	return (file == nil || isString(file)) && (entries == nil || isMap(entries))
}

// isConditional accepts {if: conditions, include: files or a treefile}.
func isConditional(n *yaml.Node) bool {
	if !isMap(n) || len(n.Content) != 4 {
		return false
	}
	cond, include := entry(n, "if"), entry(n, "include")
	return cond != nil && isInclude(cond) && include != nil && (isInclude(include) || isMap(include))
}

// entry looks up a key of a map; nil if it is not there.
func entry(n *yaml.Node, name string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}

// stringsOf gives the scalars of a list, or a lone scalar as a list of one.
func stringsOf(n *yaml.Node) []string {
	if n.Kind == yaml.ScalarNode {
		return []string{n.Value}
	}
	var out []string
	for _, c := range n.Content {
		out = append(out, c.Value)
	}
	return out
}

// setNode makes a sorted list without duplicates.
func setNode(values []string) *yaml.Node {
	slices.Sort(values)
	n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	for _, v := range slices.Compact(values) {
		n.Content = append(n.Content, stringNode(v))
	}
	return n
}

// stringNode makes a string.
func stringNode(s string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
}
