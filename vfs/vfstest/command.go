package vfstest

import (
	"encoding/json"
	"fmt"
)

// A Command is something that a case wants of the library, which may live in
// another process.
type Command struct {
	Op   string `json:"op"`             // put, remove, latest, gate, counters
	Name string `json:"name,omitempty"` // of the gate or the build; prefix of the paths to remove
	Item Item   `json:"item,omitzero"`
}

// A Reply is what became of a command.
type Reply struct {
	Counters Counters        `json:"counters"`
	Stats    json.RawMessage `json:"stats,omitempty"` // of the door, where it has some
	Error    string          `json:"error,omitempty"`
}

// A Control carries commands to a library.
type Control interface {
	Do(c Command) (Reply, error)
}

// Do implements Control.
func (l *Library) Do(c Command) (Reply, error) {
	var err error
	switch c.Op {
	case "put":
		err = l.Put(c.Item)
	case "remove":
		l.Remove(c.Name)
	case "latest":
		l.SetLatest(c.Name)
	case "gate":
		l.OpenGate(c.Name)
	case "counters":
	default:
		err = fmt.Errorf("no command %q", c.Op)
	}
	return Reply{Counters: l.Counters()}, err
}
