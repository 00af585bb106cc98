package vfstest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/txtar"

	"cosafs/materialize"
)

// A Fixture is a tree and what goes wrong in it, as data: another process can
// build the same.
type Fixture struct {
	Latest string   `json:"latest"` // target of the link, "" for none
	Next   []string `json:"next"`   // architectures
	Items  []Item   `json:"items"`
	// Mute keeps changes from those who wait for them, as a lost notification.
	Mute bool `json:"mute,omitempty"`
}

// An Item is one file of a fixture: its bytes (Text, Random or File), and how
// they come to exist.
type Item struct {
	Path string `json:"path"`           // builds.json, <build>/<arch>/<name>, next/<arch>/<name>
	Kind string `json:"kind,omitempty"` // "" is metadata

	Text   string `json:"text,omitempty"`
	Random int    `json:"random,omitempty"` // so many bytes that depend on the path alone
	File   string `json:"file,omitempty"`   // a file on this machine

	Local     bool   `json:"local,omitempty"`     // gives a LocalFile
	Buildable bool   `json:"buildable,omitempty"` // not listed, size unknown until it is made
	Missing   bool   `json:"missing,omitempty"`   // listed with its size, but gone until it is made again
	View      bool   `json:"view,omitempty"`      // not listed, computed as it is read
	Stamp     string `json:"stamp,omitempty"`     // of views
	Short     string `json:"short,omitempty"`     // short name that resolves to it
	Inputs    string `json:"inputs,omitempty"`    // of files of next/
	SHA256    string `json:"sha256,omitempty"`

	Gate   string            `json:"gate,omitempty"` // its making waits until the gate opens
	Fail   materialize.Class `json:"fail,omitempty"` // its making fails so
	Reason string            `json:"reason,omitempty"`
}

// Parse reads a txtar archive: plan.json is the fixture, other files give its
// items' text, and are items of their own where plan.json does not name them.
func Parse(archive []byte) (Fixture, error) {
	var f Fixture
	texts := map[string]string{}
	for _, file := range txtar.Parse(archive).Files {
		if file.Name != "plan.json" {
			texts[file.Name] = string(file.Data)
			continue
		}
		if err := json.Unmarshal(file.Data, &f); err != nil {
			return Fixture{}, fmt.Errorf("plan.json: %w", err)
		}
	}
	for i := range f.Items {
		if text, ok := texts[f.Items[i].Path]; ok {
			f.Items[i].Text = text
			delete(texts, f.Items[i].Path)
		}
	}
	for path, text := range texts {
		f.Items = append(f.Items, Item{Path: path, Text: text})
	}
	return f, nil
}

// Bytes are the item's content.
func (it *Item) Bytes() ([]byte, error) {
	switch {
	case it.File != "":
		return os.ReadFile(it.File)
	case it.Random > 0:
		var seed [32]byte
		copy(seed[:], it.Path)
		b := make([]byte, it.Random)
		_, err := rand.NewChaCha8(seed).Read(b)
		return b, err
	default:
		return []byte(it.Text), nil
	}
}

// split gives the parts of the item's path.
func (it *Item) split() (build, arch, name string) {
	parts := strings.Split(it.Path, "/")
	switch len(parts) {
	case 1:
		return "", "", parts[0]
	case 2:
		return parts[0], "", parts[1]
	default:
		return parts[0], parts[1], strings.Join(parts[2:], "/")
	}
}

// Item finds an item by path.
func (f *Fixture) Item(path string) (Item, bool) {
	for _, it := range f.Items {
		if it.Path == path {
			return it, true
		}
	}
	return Item{}, false
}

// Render writes what the tree lists to a plain directory: the oracle.
func (f *Fixture) Render(dir string) error {
	for i := range f.Items {
		it := &f.Items[i]
		if it.Buildable {
			continue
		}
		b, err := it.Bytes()
		if err != nil {
			return err
		}
		path := filepath.Join(dir, filepath.FromSlash(it.Path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, b, 0o444); err != nil {
			return err
		}
	}
	if f.Latest == "" {
		return nil
	}
	return os.Symlink(f.Latest, filepath.Join(dir, "latest"))
}
