package verify

import (
	"bytes"
	"encoding/base64"
	"testing"
)

func armored(key []byte) []byte {
	return []byte("text before\n" + armorBegin + "\nVersion: 1\n\n" + base64.StdEncoding.EncodeToString(key) + "\n=abcd\n" + armorEnd + "\n")
}

func FuzzDearmor(f *testing.F) {
	for _, s := range []string{"", "key", armorBegin, armorBegin + "\n\n" + armorEnd, string(armored([]byte("k")))} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = dearmor(data) // whatever it says, it says it without panic
		got, err := dearmor(append(armored(data), armored(data)...))
		if want := append(bytes.Clone(data), data...); err != nil || !bytes.Equal(got, want) {
			t.Errorf("dearmor of two blocks of %q = %q, %v", data, got, err)
		}
	})
}

func TestDearmorRefuses(t *testing.T) {
	for _, s := range []string{"", armorBegin + "\n\nAAAA", armorBegin + "\nAAAA\n" + armorEnd, armorBegin + "\n\n!\n" + armorEnd} {
		if keys, err := dearmor([]byte(s)); err == nil {
			t.Errorf("dearmor(%q) = %q", s, keys)
		}
	}
}
