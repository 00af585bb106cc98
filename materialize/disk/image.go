package disk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"cosafs/materialize"
)

const imageOp = "read image.yaml"

// RenderImage implements [materialize.DiskWriter]. Files that are included
// chain as in cosa: what includes wins, and extra-kargs add up, the including
// file's first.
func (w *Writer) RenderImage(ctx context.Context) ([]byte, error) {
	image := map[string]any{}
	path := filepath.Join(w.cfg.ConfigDir, w.cfg.Image)
	for seen := []string{}; path != ""; {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if slices.Contains(seen, path) {
			return nil, badImage(fmt.Errorf("%s: includes itself by way of %s", path, strings.Join(seen, ", ")))
		}
		seen = append(seen, path)
		next, include, err := readImage(path)
		if err != nil {
			return nil, badImage(err)
		}
		merge(image, next)
		path = include
	}
	if _, ok := image["size"]; !ok {
		return nil, badImage(fmt.Errorf("%s: size is missing: the disk's size in GiB", w.cfg.Image))
	}
	defaults := map[string]any{}
	for name, k := range schema() {
		if k.value != nil {
			defaults[name] = k.value
		}
	}
	merge(image, defaults)
	return json.Marshal(image)
}

func badImage(err error) error {
	return materialize.Fail(materialize.ClassConfig, imageOp, "correct the configuration's image.yaml", err)
}

// merge adds what image doesn't have. Tables are not merged; cosa doesn't.
func merge(image, below map[string]any) {
	for name, value := range below {
		have, ok := image[name]
		switch {
		case !ok:
			image[name] = value
		case name == "extra-kargs":
			image[name] = append(append([]string{}, listOf(have)...), listOf(value)...)
		}
	}
}

func listOf(v any) []string {
	all, _ := v.([]string) // readImage lets nothing else through
	return all
}

// readImage reads one file, and gives the path of the one that it includes.
func readImage(path string) (image map[string]any, include string, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, "", err
	}
	image, err = parseImage(b)
	if err != nil {
		return nil, "", fmt.Errorf("%s:%w", path, err)
	}
	if name, ok := image["include"].(string); ok {
		delete(image, "include")
		if !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(path), name)
		}
		return image, name, nil
	}
	return image, "", nil
}

// A lineError is an error at a line of a file; a file's name goes before it.
type lineError struct {
	line int
	err  error
}

func (e lineError) Error() string { return fmt.Sprintf("%d: %v", e.line, e.err) }
func (e lineError) Unwrap() error { return e.err }

// parseImage reads the text of one file and refuses what it doesn't know.
func parseImage(b []byte) (map[string]any, error) {
	var doc yaml.Node
	in := yaml.NewDecoder(bytes.NewReader(b))
	if err := in.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return map[string]any{}, nil // empty, or comments alone
		}
		return nil, fmt.Errorf(" %w", err) // it names the line itself
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, lineError{root.Line, errors.New("must be a mapping of keys to values")}
	}
	known := schema()
	known["include"] = key{check: text}
	image := map[string]any{}
	for i := 0; i+1 < len(root.Content); i += 2 {
		name, value := root.Content[i], root.Content[i+1]
		if value.Kind == yaml.AliasNode {
			value = value.Alias
		}
		k, ok := known[name.Value]
		if !ok {
			return nil, lineError{name.Line, fmt.Errorf("unknown key %q", name.Value)}
		}
		if _, twice := image[name.Value]; twice {
			return nil, lineError{name.Line, fmt.Errorf("key %q is there twice", name.Value)}
		}
		v, err := k.check(value)
		if err != nil {
			return nil, lineError{value.Line, fmt.Errorf("%s: %w", name.Value, err)}
		}
		image[name.Value] = v
	}
	return image, nil
}

// settings are the keys of image.json that decide how disks and images are written.
type settings struct {
	Size     int64    `json:"size"` // GiB
	Kargs    []string `json:"extra-kargs"`
	Root     string   `json:"rootfs"`
	RootArgs string   `json:"rootfs-args"`
	Remote   string   `json:"ostree-remote"`

	Hardware   int    `json:"vmware-hw-version"`
	OSType     string `json:"vmware-os-type"`
	SecureBoot bool   `json:"vmware-secure-boot"`

	LiveType        string `json:"live-rootfs-fstype"`
	LiveOptions     string `json:"live-rootfs-fsoptions"`
	LiveCompression string `json:"squashfs-compression"`

	Composefs    bool `json:"composefs"`
	ViaContainer bool `json:"deploy-via-container"`
}

func parseSettings(imageJSON []byte) (settings, error) {
	var s settings
	if err := json.Unmarshal(imageJSON, &s); err != nil {
		return s, badImage(fmt.Errorf("image.json: %w", err))
	}
	if s.Root == "" {
		s.Root = "xfs"
	}
	if s.LiveType == "" {
		s.LiveType = "squashfs"
	}
	if s.Remote == "NONE" { // cosa's word for none
		s.Remote = ""
	}
	return s, nil
}
