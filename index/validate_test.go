package index_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"cosafs/index"
)

func TestValidate(t *testing.T) {
	if err := parseMeta(t, testdata(t, "meta-valid.json")).Validate(); err != nil {
		t.Errorf("a valid document: %v", err)
	}
	for _, tc := range []struct {
		name, key, value string
		ok               bool
	}{
		{"unknown image", "images", `{"ostree": {"path": "a", "sha256": "b"}, "new": 1}`, true},
		{"whole as 1.0", "ostree-n-cache-hits", `1.0`, true},
		{"labels", "coreos-assembler.oci-imported-labels", `{"a": "b"}`, true},
		{"stamp", "coreos-assembler.meta-stamp", `1`, true},
		{"unknown key", "x-private", `1`, false},
		{"short commit", "ostree-commit", `"abc"`, false},
		{"number for a string", "name", `1`, false},
		{"null", "name", `null`, false},
		{"odd time", "ostree-timestamp", `"yesterday"`, false},
		{"fraction", "ostree-n-cache-hits", `1.5`, false},
		{"boolean for a number", "coreos-assembler.meta-stamp", `true`, false},
		{"genver as string", "coreos-assembler.image-genver", `"0"`, false},
		{"dirty as boolean", "coreos-assembler.config-dirty", `true`, false},
		{"amis of the installer", "amis", `{"us-east-1": {"hvm": "x"}}`, false},
		{"ami without snapshot", "amis", `[{"name": "a", "hvm": "b"}]`, false},
		{"no ostree", "images", `{}`, false},
		{"size as string", "images", `{"ostree": {"path": "a", "sha256": "b", "size": "1"}}`, false},
		{"image without sha256", "images", `{"ostree": {"path": "a"}}`, false},
		{"branch of 2", "coreos-assembler.yumrepos-git", `{"commit": "12345", "origin": "x", "branch": "ab"}`, false},
		{"label that is a number", "coreos-assembler.oci-imported-labels", `{"a": 1}`, false},
		{"cloud without url", "ibmcloud", `[{"image": "x"}]`, false},
	} {
		m := parseMeta(t, testdata(t, "meta-valid.json"))
		if err := m.Set(tc.key, json.RawMessage(tc.value)); err != nil {
			t.Fatal(err)
		}
		if err := m.Validate(); errors.Is(err, index.ErrSchema) == tc.ok {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

func TestValidateNamesEverything(t *testing.T) {
	err := meta(t, `{"x-private": 1, "name": 2}`).Validate()
	for _, word := range []string{"x-private", "name", "buildid", "ostree-commit", "ostree-timestamp", "ostree-version"} {
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%s is not named in: %v", word, err)
		}
	}
}
