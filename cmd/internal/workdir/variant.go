package workdir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"cosafs/index"
	"cosafs/materialize"
)

// variantKey says in src/config.json, and in meta.json, which variant of the
// configuration is built.
const variantKey = "coreos-assembler.config-variant"

func variantPath(dir string) string { return filepath.Join(dir, "src", "config.json") }

func writeVariant(dir, variant string) error {
	if variant == "" {
		return nil
	}
	doc, err := json.Marshal(map[string]string{variantKey: variant})
	if err != nil {
		return err
	}
	return os.WriteFile(variantPath(dir), doc, 0o644)
}

// readVariant gives the configuration's variant, "" where none was chosen.
func readVariant(dir string) (string, error) {
	path := variantPath(dir)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	var doc map[string]string
	if err == nil {
		err = json.Unmarshal(text, &doc)
	}
	if err == nil {
		err = checkVariant(doc[variantKey])
	}
	if err != nil {
		return "", materialize.Fail(materialize.ClassConfig, "read "+path,
			`write {"`+variantKey+`": "NAME"} into it, or delete it for no variant`, err)
	}
	return doc[variantKey], nil
}

// checkVariant refuses what can't be part of a file name.
func checkVariant(variant string) error {
	if variant != "" && !index.ValidName(variant) {
		return fmt.Errorf("variant %q can't be part of a file name: %w", variant, fs.ErrInvalid)
	}
	return nil
}

// variantFile names a file of the configuration: of the variant, if there is one.
func variantFile(name, variant string) string {
	if variant != "" {
		name += "-" + variant
	}
	return name + ".yaml"
}
