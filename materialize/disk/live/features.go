package live

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v3"
)

// exampleConfig is coreos-installer's, with every directive that it knows.
const exampleConfig = "usr/share/coreos-installer/example-config.yaml"

// readFeatures gives features.json, which tells coreos-installer's commands that
// customise an image what the system in it can be asked for. As cosa has it (get_os_features), where the tree has a
// coreos-installer that can be configured, all features are there; in one that doesn't,
// nobody would listen.
func (m *maker) readFeatures() (string, error) {
	directives, err := m.directives()
	if err != nil {
		return "", err
	}
	have := directives != nil
	table := map[string]any{"installer-config": have, "live-initrd-network": have}
	if have {
		table["initrd-copy-network"], table["installer-config-directives"] = true, directives
	}
	b, err := json.MarshalIndent(table, "", "  ")
	return string(b) + "\n", err
}

// directives are those of the tree's coreos-installer; nil if there is none.
func (m *maker) directives() (map[string]bool, error) {
	path := filepath.Join(m.system, exampleConfig)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var keys map[string]yaml.Node
	if err := yaml.Unmarshal(b, &keys); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	known := map[string]bool{}
	for key := range keys {
		known[key] = true
	}
	return known, nil
}
