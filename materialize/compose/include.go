package compose

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"syscall"

	"go.yaml.in/yaml/v3"

	"cosafs/materialize"
)

// maxDepth is rpm-ostree's limit of nested includes.
const maxDepth = 50

// A loader reads a manifest with everything it includes.
type loader struct {
	arch string
	base string // directory of the manifest; file names in the result are relative to it
	// seen holds each file read so far; a second inclusion is an error, even
	// where it is no loop.
	seen  map[inode]bool
	files []string
	// vars are the variables of the files read so far; the first file that sets
	// one wins. Conditions see the variables of the files above them only.
	vars map[string]*yaml.Node
}

type inode struct{ dev, ino uint64 }

// load reads file and merges what it includes, in rpm-ostree's order: include,
// then arch-include, then the conditional ones; inline conditional treefiles at once.
func (l *loader) load(file string, depth int) (map[string]*field, error) {
	d, err := l.read(file)
	if err != nil {
		return nil, err
	}
	if err := l.resolvePaths(d); err != nil {
		return nil, err
	}
	if err := l.declare(d); err != nil {
		return nil, err
	}
	includes, err := l.includes(d)
	if err != nil {
		return nil, err
	}
	for _, name := range includes {
		if depth == maxDepth {
			return nil, &SourceError{File: file, Reason: fmt.Sprintf("Reached maximum include depth %d", maxDepth)}
		}
		included, err := l.load(beside(file, name), depth+1)
		if err != nil {
			return nil, err
		}
		merge(d.fields, included)
	}
	return d.fields, nil
}

// read opens and parses one file.
func (l *loader) read(file string) (*document, error) {
	data, id, err := readFile(file)
	if err != nil {
		reason := fmt.Sprintf("Can't open file %q for reading", file)
		return nil, materialize.Fail(materialize.ClassConfig, "read manifest", "create "+file+" or mend the include that names it",
			fmt.Errorf("%s: %w", reason, err))
	}
	if l.seen[id] {
		return nil, &SourceError{File: file, Key: "include", Reason: fmt.Sprintf("Include loop detected; %s was already included", file)}
	}
	l.seen[id] = true
	l.files = append(l.files, file)
	return parseDocument(file, data, l.arch)
}

// readFile reads a regular file and gives its identity.
func readFile(file string) (data []byte, id inode, err error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, id, err
	}
	if !info.Mode().IsRegular() {
		return nil, id, fmt.Errorf("%w: not a regular file", fs.ErrInvalid)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		id = inode{st.Dev, st.Ino}
	}
	data, err = os.ReadFile(file)
	return data, id, err
}

// resolvePaths makes the files that a treefile names relative to the manifest's
// directory: after merging nobody knows any more who named them.
func (l *loader) resolvePaths(d *document) error {
	if f := d.fields["add-files"]; f != nil {
		for _, pair := range f.value.Content {
			if !validTarget(pair.Content[1].Value) {
				return f.errorf("Unsupported path in add-files: %s", pair.Content[1].Value)
			}
			pair.Content[0].Value = l.relative(d.file, pair.Content[0].Value)
		}
	}
	if f := d.fields["postprocess-script"]; f != nil {
		f.value.Value = l.relative(d.file, f.value.Value)
	}
	for _, name := range []string{"check-passwd", "check-groups"} {
		if f := d.fields[name]; f != nil {
			if file := entry(f.value, "filename"); file != nil {
				file.Value = l.relative(d.file, file.Value)
			}
		}
	}
	return nil
}

// relative gives name, which file mentions, relative to the manifest's directory.
func (l *loader) relative(file, name string) string {
	path := beside(file, name)
	if rel, err := filepath.Rel(l.base, path); err == nil {
		return rel
	}
	return path
}

// beside resolves a name that a treefile mentions.
func beside(file, name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(filepath.Dir(file), name)
}

// declare takes the document's variables in; basearch and releasever are
// variables as well.
func (l *loader) declare(d *document) error {
	own := map[string]*yaml.Node{}
	if f := d.fields["variables"]; f != nil {
		for i := 0; i+1 < len(f.value.Content); i += 2 {
			name := f.value.Content[i].Value
			if name == "basearch" || name == "releasever" {
				return f.errorf("cannot define reserved variable '%s'", name)
			}
			own[name] = f.value.Content[i+1]
		}
		delete(d.fields, "variables")
	}
	if f := d.fields["basearch"]; f != nil && f.value.Value != l.arch {
		return f.errorf("Invalid basearch %s on %s: cross-composes are not supported", f.value.Value, l.arch)
	}
	own["basearch"] = stringNode(l.arch)
	if f := d.fields["releasever"]; f != nil {
		own["releasever"] = f.value
	}
	maps.Copy(own, l.vars)
	l.vars = own
	return nil
}

// includes takes the include keys out of the document and gives the files that
// apply. Inline conditional treefiles are merged into it.
func (l *loader) includes(d *document) ([]string, error) {
	var files []string
	if f := d.fields["include"]; f != nil {
		files = append(files, stringsOf(f.value)...)
	}
	if f := d.fields["arch-include"]; f != nil {
		if n := entry(f.value, l.arch); n != nil {
			files = append(files, stringsOf(n)...)
		}
	}
	conditional := d.fields["conditional-include"]
	for _, name := range []string{"include", "arch-include", "conditional-include"} {
		delete(d.fields, name)
	}
	if conditional == nil {
		return files, nil
	}
	for _, item := range conditional.value.Content {
		more, err := l.conditional(d, conditional, item)
		if err != nil {
			return nil, err
		}
		files = append(files, more...)
	}
	return files, nil
}

// conditional gives the files of one item of conditional-include if its
// conditions hold.
func (l *loader) conditional(d *document, f *field, item *yaml.Node) ([]string, error) {
	holds := true
	for _, text := range stringsOf(entry(item, "if")) {
		c, err := parseCondition(text)
		if err != nil {
			return nil, f.errorf("%w", err)
		}
		// Each is evaluated, so that a mistake in the second shows even when the
		// first does not hold.
		one, err := c.holds(l.vars)
		if err != nil {
			return nil, f.errorf("%w", err)
		}
		holds = holds && one
	}
	if !holds {
		return nil, nil
	}
	include := entry(item, "include")
	if include.Kind != yaml.MappingNode {
		return stringsOf(include), nil
	}
	inline := &document{file: d.file, fields: map[string]*field{}}
	if err := errors.Join(inline.collect(include, true), inline.rename()); err != nil {
		return nil, err
	}
	if err := errors.Join(inline.foldPackages(l.arch), l.resolvePaths(inline)); err != nil {
		return nil, err
	}
	merge(d.fields, inline.fields)
	return nil, nil
}

// validTarget says whether add-files may write there.
func validTarget(path string) bool {
	path = filepath.Clean("/" + path)
	if under(path, "/usr/local") {
		return false
	}
	for _, dir := range []string{"/usr", "/etc", "/bin", "/sbin", "/lib", "/lib64"} {
		if under(path, dir) {
			return true
		}
	}
	return false
}

// under says whether path lies below dir.
func under(path, dir string) bool {
	return len(path) > len(dir) && path[:len(dir)] == dir && path[len(dir)] == '/'
}
