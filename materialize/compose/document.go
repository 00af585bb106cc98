package compose

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A field is one key of a treefile with its value and where it was written.
// After merging, file and line are those of the including file's part.
type field struct {
	name  string
	value *yaml.Node
	file  string
	line  int
}

// A document is one treefile, checked but not merged: every key is known and
// has a value of its kind, packages are folded into the key "packages".
type document struct {
	file   string
	fields map[string]*field
}

// maxNodes bounds what aliases may expand a document to.
const maxNodes = 200_000

// yamlLine finds the line that the YAML library names in its messages.
var yamlLine = regexp.MustCompile(`line (\d+): `)

// parseDocument reads one treefile for an architecture. As in rpm-ostree a file
// is JSON unless its name ends in .yaml or .yml, and unknown keys of JSON files
// are comments.
func parseDocument(file string, data []byte, arch string) (*document, error) {
	root, isYAML, err := parseNode(file, data)
	if err != nil {
		return nil, err
	}
	d := &document{file: file, fields: map[string]*field{}}
	if root == nil || isNull(root) {
		return d, nil
	}
	if root.Kind != yaml.MappingNode {
		return nil, &SourceError{File: file, Line: root.Line, Reason: fmt.Sprintf("invalid type: %s, expected a map", describe(root))}
	}
	if err := d.collect(root, isYAML); err != nil {
		return nil, err
	}
	if err := d.rename(); err != nil {
		return nil, err
	}
	return d, d.foldPackages(arch)
}

// parseNode gives the document's root with all aliases expanded.
func parseNode(file string, data []byte) (root *yaml.Node, isYAML bool, err error) {
	ext := filepath.Ext(file)
	isYAML = ext == ".yaml" || ext == ".yml"
	if !isYAML {
		if err := checkJSON(file, data); err != nil {
			return nil, false, err
		}
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, isYAML, yamlError(file, err)
	}
	if len(doc.Content) == 0 {
		return nil, isYAML, nil
	}
	budget := maxNodes
	root, err = expand(doc.Content[0], &budget)
	if err != nil {
		return nil, isYAML, &SourceError{File: file, Line: doc.Content[0].Line, Reason: err.Error()}
	}
	return root, isYAML, nil
}

// checkJSON finds syntax errors that YAML would let pass, such as comments.
func checkJSON(file string, data []byte) error {
	var v any
	err := json.Unmarshal(data, &v)
	if err == nil {
		return nil
	}
	e := &SourceError{File: file, Line: 1, Reason: "serde-json: " + err.Error()}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		e.Line += bytes.Count(data[:min(int(syntax.Offset), len(data))], []byte("\n"))
	}
	return e
}

// yamlError takes the line out of a message of the YAML library.
func yamlError(file string, err error) error {
	e := &SourceError{File: file, Reason: "serde-yaml: " + strings.TrimPrefix(err.Error(), "yaml: ")}
	if m := yamlLine.FindStringSubmatch(e.Reason); m != nil {
		// The pattern admits digits only; a number too big to parse leaves 0.
		e.Line, _ = strconv.Atoi(m[1])
		e.Reason = strings.Replace(e.Reason, m[0], "", 1)
	}
	return e
}

// expand copies a node with its aliases replaced by what they stand for.
func expand(n *yaml.Node, budget *int) (*yaml.Node, error) {
	if *budget--; *budget < 0 {
		return nil, errors.New("serde-yaml: aliases expand to too many values")
	}
	if n.Kind == yaml.AliasNode {
		return expand(n.Alias, budget)
	}
	c := *n
	c.Content = make([]*yaml.Node, 0, len(n.Content))
	for _, child := range n.Content {
		e, err := expand(child, budget)
		if err != nil {
			return nil, err
		}
		c.Content = append(c.Content, e)
	}
	return &c, nil
}

// collect checks each key and value of the top level.
func (d *document) collect(root *yaml.Node, isYAML bool) error {
	known, legacy := knownKeys(), legacyKeys()
	var unknown []*yaml.Node
	for i := 0; i+1 < len(root.Content); i += 2 {
		name, value := root.Content[i], root.Content[i+1]
		f := &field{name: name.Value, value: value, file: d.file, line: name.Line}
		if _, twice := d.fields[f.name]; twice {
			return f.errorf("duplicate field `%s`", f.name)
		}
		k, ok := known[f.name]
		if !ok {
			k, ok = known[legacy[f.name]]
		}
		if _, isArch := archPackages(f.name); isArch && !ok {
			k, ok = key{kind: kindPackages}, true
		}
		if !ok {
			unknown = append(unknown, name)
			continue
		}
		if isNull(value) { // serde reads null as "not given"
			continue
		}
		if err := f.check(k); err != nil {
			return err
		}
		d.fields[f.name] = f
	}
	if isYAML && len(unknown) > 0 {
		return unknownFields(d.file, unknown)
	}
	return nil
}

// unknownFields names every unknown key of a file at once.
func unknownFields(file string, names []*yaml.Node) error {
	var list []string
	for _, n := range names {
		list = append(list, n.Value)
	}
	return &SourceError{File: file, Line: names[0].Line, Key: names[0].Value, Reason: "Unknown fields: " + strings.Join(list, ", ")}
}

// rename gives old spellings their new names.
func (d *document) rename() error {
	for old, now := range legacyKeys() {
		f := d.fields[old]
		if f == nil || now == "packages" {
			continue
		}
		if d.fields[now] != nil {
			return f.errorf("Cannot use new and legacy forms of %s", old)
		}
		delete(d.fields, old)
		f.name = now
		d.fields[now] = f
	}
	return nil
}

// foldPackages moves every list of packages into "packages": items are split at
// white space, packages-ARCH of other architectures are dropped.
func (d *document) foldPackages(arch string) error {
	var names []string
	for name := range d.fields {
		a, isArch := archPackages(name)
		if name == "packages" || strings.HasPrefix(name, "bootstrap") || (isArch && a == arch) {
			names = append(names, name)
		}
	}
	slices.Sort(names) // the field that gives file and line is the same every time
	var packages []string
	var first *field
	for _, name := range names {
		f := d.fields[name]
		split, err := splitPackages(stringsOf(f.value))
		if err != nil {
			return f.errorf("%w", err)
		}
		packages = append(packages, split...)
		if first == nil || name == "packages" {
			first = f
		}
	}
	for name := range d.fields {
		if _, isArch := archPackages(name); isArch || strings.HasPrefix(name, "bootstrap") {
			delete(d.fields, name)
		}
	}
	if first != nil {
		d.fields["packages"] = &field{name: "packages", value: setNode(packages), file: first.file, line: first.line}
	}
	return nil
}

// splitPackages splits items at white space; quotes keep a versioned request
// such as 'foo >= 1.0' together.
func splitPackages(items []string) ([]string, error) {
	var out []string
	for _, item := range items {
		rest := strings.TrimSpace(item)
		for rest != "" {
			end := strings.IndexAny(rest, " \t\r\n")
			if rest[0] == '\'' || rest[0] == '"' {
				closing := strings.IndexByte(rest[1:], rest[0])
				if closing < 0 {
					return nil, fmt.Errorf("missing terminating quote: %s", item)
				}
				out = append(out, rest[1:closing+1])
				rest = strings.TrimSpace(rest[closing+2:])
				continue
			}
			if end < 0 {
				end = len(rest)
			}
			out = append(out, rest[:end])
			rest = strings.TrimSpace(rest[end:])
		}
	}
	return out, nil
}
