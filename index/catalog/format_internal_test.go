package catalog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"testing"

	"github.com/dgraph-io/badger/v4"
)

// A listOnly is a source with one build and nothing of it.
type listOnly struct{}

func (listOnly) List(context.Context, string) ([]byte, File, error) {
	return []byte(`{"schema-version": "1.0.0", "builds": [{"id": "1", "arches": ["x86_64"]}]}`), File{Version: "1"}, nil
}

func (listOnly) Files(context.Context, string) ([]File, error) { return nil, nil }

func (listOnly) Read(_ context.Context, _, name, _ string) ([]byte, File, error) {
	return nil, File{}, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
}

func openIn(t *testing.T, dir string) *Catalog {
	t.Helper()
	c, err := Open(t.Context(), Config{Dir: dir, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func bring(t *testing.T, c *Catalog) {
	t.Helper()
	if _, err := c.Sync(t.Context(), "s", listOnly{}, Options{}); err != nil {
		t.Fatal(err)
	}
}

// Records of another program's version are not read.
func TestFormatChange(t *testing.T) {
	dir := t.TempDir()
	c := openIn(t, dir)
	bring(t, c)
	if err := c.update(func(w *writer) error { return w.put([]byte{kindFormat}, []byte("0 another")) }); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	c = openIn(t, dir)
	if _, err := c.Top("s"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Top = %v", err)
	}
	bring(t, c)
	if _, err := c.Arch("s", "1", "x86_64"); err != nil {
		t.Error(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

// Damage that shows while the catalog is in use is an error once, and empties it.
func TestDamageInUse(t *testing.T) {
	for name, harm := range map[string]func(w *writer, num uint16, h head) error{
		"checksum":         func(w *writer, num uint16, h head) error { return w.txn.Set(archKey(num, h.ref), []byte("damaged")) },
		"missing record":   func(w *writer, num uint16, h head) error { return w.txn.Delete(archKey(num, h.ref)) },
		"another's record": func(w *writer, num uint16, h head) error { return w.put(archKey(num, h.ref), []byte("damaged")) },
		"half a record":    func(w *writer, num uint16, _ head) error { return w.put(buildKey(num, "1"), nil) },
		"outdated": func(w *writer, num uint16, h head) error {
			packed, err := pack(encodeArch(&Arch{ID: "1", Name: "x86_64"}))
			return errors.Join(err, w.put(archKey(num, h.ref), packed))
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := openIn(t, t.TempDir())
			bring(t, c)
			err := c.update(func(w *writer) error {
				num, h, err := w.find("s", "1", "x86_64")
				return errors.Join(err, harm(w, num, h))
			})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Arch("s", "1", "x86_64"); !errors.Is(err, ErrDamaged) || errors.Is(err, fs.ErrNotExist) {
				t.Errorf("Arch = %v", err)
			}
			if _, err := c.Top("s"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("Top = %v", err)
			}
			bring(t, c)
			if a, err := c.Arch("s", "1", "x86_64"); err != nil || a.Problem != noMeta {
				t.Errorf("%+v, %v", a, err)
			}
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// A sync that finds damage starts again, by itself.
func TestSyncMendsDamage(t *testing.T) {
	c := openIn(t, t.TempDir())
	bring(t, c)
	if err := c.update(func(w *writer) error { return w.txn.Delete(buildKey(0, "1")) }); err != nil {
		t.Fatal(err)
	}
	bring(t, c)
	if _, err := c.Arch("s", "1", "x86_64"); err != nil {
		t.Error(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

// What badger throws is damage, and no end of the program.
func TestPanic(t *testing.T) {
	c := openIn(t, t.TempDir())
	if err := c.guard(func(*badger.DB) error { panic("slice bounds out of range") }); !errors.Is(err, ErrDamaged) {
		t.Errorf("%v", err)
	}
	bring(t, c)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Top("s"); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}
