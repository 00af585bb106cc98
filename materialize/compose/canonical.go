package compose

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// Hash is the sha256 of the merged treefile in a canonical form. Comments,
// formatting, the order of keys and how the text is split into files don't
// change it, nor does where the configuration lies: file names in it are
// relative to the manifest.
func (t *Treefile) Hash() string {
	m := map[string]any{}
	for name, f := range t.merged {
		m[name] = plain(f.value)
	}
	for name, value := range t.Variables {
		m["variable "+name] = value
	}
	return hashOf(m)
}

// hashOf hashes the JSON form, whose keys are sorted, of what [plain] gives.
func hashOf(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic("compose: plain gave what JSON can't express: " + err.Error())
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
