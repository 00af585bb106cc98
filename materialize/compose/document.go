package compose

import "go.yaml.in/yaml/v3"

// A field is one key of the merged treefile and where its value was written.
type field struct {
	key   string
	value *yaml.Node
	file  string // the treefile that gave the value, or its last part
	line  int
}
