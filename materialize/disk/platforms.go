package disk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v3"

	"cosafs/materialize"
)

// platformsFile is cosa's (since 2022-06). Variants of a configuration share it.
const platformsFile = "platforms.yaml"

// platformSettings are what sets the disk of a platform apart, beside its id, as
// platforms.yaml has it for each architecture and platform.
type platformSettings struct {
	GRUB  []string `json:"grub_commands,omitempty" yaml:"grub_commands"`       // set up its consoles
	Kargs []string `json:"kernel_arguments,omitempty" yaml:"kernel_arguments"` // follow all others
}

// RenderPlatforms implements [materialize.DiskWriter]. The table is that of one
// architecture alone, as cosa keeps it in commits and on disks.
func (w *Writer) RenderPlatforms(ctx context.Context, arch string) ([]byte, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	b, err := os.ReadFile(filepath.Join(w.cfg.ConfigDir, platformsFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // older configurations have none
		return nil, badPlatforms(err)
	}
	table, err := readPlatforms(b, arch)
	if err != nil {
		return nil, badPlatforms(err)
	}
	for id, s := range table {
		if _, _, err := s.fields(id); err != nil {
			return nil, err
		}
	}
	return json.Marshal(table)
}

// readPlatforms reads the text of platforms.yaml, and refuses keys that it doesn't know.
func readPlatforms(text []byte, arch string) (map[string]platformSettings, error) {
	var all map[string]map[string]platformSettings
	in := yaml.NewDecoder(bytes.NewReader(text))
	in.KnownFields(true)
	if err := in.Decode(&all); err != nil && !errors.Is(err, io.EOF) {
		return nil, err // it names the line
	}
	if all[arch] == nil {
		return map[string]platformSettings{}, nil
	}
	return all[arch], nil
}

// parsePlatforms reads platforms.json. A commit may be of a cosa that knows more
// keys; empty text is an empty table.
func parsePlatforms(platformsJSON []byte) (map[string]platformSettings, error) {
	table := map[string]platformSettings{}
	if len(platformsJSON) == 0 {
		return table, nil
	}
	if err := json.Unmarshal(platformsJSON, &table); err != nil {
		return nil, badPlatforms(fmt.Errorf("platforms.json: %w", err))
	}
	return table, nil
}

func badPlatforms(err error) error {
	return materialize.Fail(materialize.ClassConfig, "read "+platformsFile,
		"correct the configuration's "+platformsFile+", then build anew", err)
}
