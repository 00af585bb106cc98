package materialize

import (
	"encoding/json"
	"testing"
)

// FuzzParseDiskConfig: what is taken for a record says of which commit it is, and has
// a configuration that can be used.
func FuzzParseDiskConfig(f *testing.F) {
	f.Add([]byte(`{"commit":"x","image":"e30=","platforms":""}`))
	f.Add([]byte(`{"commit":"x","image":"e30"}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, ok := parseDiskConfig(data); ok && (c.Commit == "" || !json.Valid(c.Image) || c.Platforms == nil) {
			t.Errorf("taken for a record: %+v", c)
		}
	})
}
