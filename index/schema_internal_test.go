package index

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A schema is what cosa's schema file uses of draft 7.
type schema struct {
	Ref         string            `json:"$ref"`
	Type        string            `json:"type"`
	MinLength   int               `json:"minLength"`
	Pattern     string            `json:"pattern"`
	Required    []string          `json:"required"`
	Properties  map[string]schema `json:"properties"`
	Items       *schema           `json:"items"`
	Additional  json.RawMessage   `json:"additionalProperties"`
	Definitions map[string]schema `json:"definitions"`
}

// rule gives the rule that is equivalent. Keys beside a $ref don't count in
// draft 7, and minLength counts for strings only.
func (s schema) rule(t *testing.T, definitions map[string]schema) rule {
	t.Helper()
	if s.Ref != "" {
		return definitions[strings.TrimPrefix(s.Ref, "#/definitions/")].rule(t, nil)
	}
	r := rule{typ: s.Type, min: s.MinLength, required: s.Required}
	if s.Type != "string" && s.Type != "" {
		r.min = 0
	}
	if s.Pattern != "" {
		r.pattern = regexp.MustCompile(s.Pattern)
	}
	for name, member := range s.Properties {
		r.props = with(map[string]rule{name: member.rule(t, definitions)}, r.props)
	}
	if s.Items != nil {
		item := s.Items.rule(t, definitions)
		r.items = &item
	}
	switch string(s.Additional) {
	case "", "true":
	case "false":
		r.closed = true
	default:
		var rest schema
		if err := json.Unmarshal(s.Additional, &rest); err != nil {
			t.Fatal(err)
		}
		all := rest.rule(t, definitions)
		r.rest = &all
	}
	return r
}

// Our rules are those of cosa's own schema file, no more and no fewer.
func TestRulesAreCosas(t *testing.T) {
	dir := os.Getenv("COSAFS_SAMPLES")
	if dir == "" {
		t.Skip("COSAFS_SAMPLES names no directory with cosa's schema")
	}
	data, err := os.ReadFile(filepath.Join(dir, "cosa-meta-schema-v1.json"))
	if err != nil {
		t.Fatal(err)
	}
	var s schema
	if err := json.Unmarshal(data, &s); err != nil {
		t.Fatal(err)
	}
	options := cmp.Options{
		cmp.AllowUnexported(rule{}),
		cmp.Comparer(func(a, b *regexp.Regexp) bool {
			return a == b || a != nil && b != nil && a.String() == b.String()
		}),
		cmp.Transformer("set", func(names []string) map[string]bool {
			set := make(map[string]bool)
			for _, name := range names {
				set[name] = true
			}
			return set
		}),
	}
	if diff := cmp.Diff(s.rule(t, s.Definitions), schemaV1, options); diff != "" {
		t.Errorf("rules differ (-cosa +ours):\n%s", diff)
	}
}

// The kinds of the schema are those that have names, but for those of 2018.
func TestKindsAreTheSchemas(t *testing.T) {
	named := make(map[string]rule)
	for _, kind := range Kinds() {
		if kind != "metal-bios" && kind != "metal-uefi" {
			named[string(kind)] = artifactRule
		}
	}
	for kind := range imagesRule.props {
		if _, ok := named[kind]; !ok {
			t.Errorf("%s is in the schema, but has no name", kind)
		}
	}
	for kind := range named {
		if _, ok := imagesRule.props[kind]; !ok {
			t.Errorf("%s has a name, but is not in the schema", kind)
		}
	}
}
