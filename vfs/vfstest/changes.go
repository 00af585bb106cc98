package vfstest

import (
	"bytes"
	"errors"
	"io/fs"
	"path"
	"slices"
)

// changeCases are about a tree that changes while it is used. What is seen may
// come a moment late; it must come.
func changeCases() []Case {
	lazy := []Cap{Lazy}
	return []Case{
		{Name: "new build appears", Needs: lazy, Run: newBuild},
		{Name: "deleted build goes", Needs: lazy, Run: deletedBuild},
		{Name: "latest moves", Needs: lazy, Run: latestMoves},
		{Name: "made file is listed", Needs: lazy, Run: madeIsListed},
		{Name: "metadata is replaced", Needs: lazy, Run: metadataReplaced},
		{Name: "next with other inputs is another file", Needs: lazy, Run: nextChanges},
		{Name: "open file outlives its name", Needs: lazy, Run: outlives},
	}
}

// lists says whether dir lists name, and whether name can be looked up.
func (h *Harness) lists(dir, name string) (listed, found bool) {
	names, err := h.Access.List(dir)
	_, statErr := h.Access.Stat(path.Join(dir, name))
	return err == nil && slices.Contains(names, name), statErr == nil
}

func newBuild(h *Harness) {
	t := h.T
	if listed, found := h.lists(".", "43.3"); listed || found {
		t.Fatal("43.3 is there from the start")
	}
	meta := Item{Path: "43.3/x86_64/meta.json", Text: "{}\n"}
	h.Do(t, Command{Op: "put", Item: meta})
	Eventually(t, "43.3 is there", func() bool {
		listed, found := h.lists(".", "43.3")
		return listed && found
	})
	h.wantFile(t, meta.Path, []byte(meta.Text))
}

func deletedBuild(h *Harness) {
	t := h.T
	walk(t, h, ".")
	h.Do(t, Command{Op: "remove", Name: "43.1/"})
	Eventually(t, "43.1 is gone", func() bool {
		listed, found := h.lists(".", "43.1")
		return !listed && !found
	})
	if _, err := h.read(qemu); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("read of a deleted build: %v, want fs.ErrNotExist", err)
	}
}

func latestMoves(h *Harness) {
	t := h.T
	h.wantFile(t, "latest/x86_64/meta.json", h.Want(t, "43.2/x86_64/meta.json"))
	h.Do(t, Command{Op: "latest", Name: "43.1"})
	Eventually(t, "latest is 43.1", func() bool {
		target, err := h.Access.Readlink("latest")
		return err == nil && target == "43.1"
	})
	h.wantFile(t, "latest/x86_64/meta.json", h.Want(t, archDir+"/meta.json"))
}

func madeIsListed(h *Harness) {
	t := h.T
	if listed, found := h.lists(archDir, path.Base(metal)); listed || !found {
		t.Fatalf("before: listed %v, found %v, want found only", listed, found)
	}
	before := h.stat(t, metal).Ino
	h.wantFile(t, metal, h.Want(t, metal))
	Eventually(t, "metal is listed", func() bool {
		listed, found := h.lists(archDir, path.Base(metal))
		return listed && found
	})
	if now := h.stat(t, metal).Ino; now != before {
		t.Errorf("inode number %d, was %d before it was made", now, before)
	}
}

func metadataReplaced(h *Harness) {
	t := h.T
	for _, p := range []string{"builds.json", archDir + "/meta.json"} {
		h.wantFile(t, p, h.Want(t, p))
		text := string(h.Want(t, p)) + "one more line\n"
		h.Do(t, Command{Op: "put", Item: Item{Path: p, Text: text}})
		Eventually(t, p+" is new", func() bool {
			info, err := h.Access.Stat(p)
			return err == nil && info.Size == int64(len(text))
		})
		h.wantFile(t, p, []byte(text))
	}
}

func nextChanges(h *Harness) {
	t := h.T
	h.wantFile(t, next, h.Want(t, next))
	old := h.stat(t, next)
	it := Item{Path: next, Kind: "qemu", Text: "other inputs", Buildable: true, Inputs: "bbbb"}
	h.Do(t, Command{Op: "put", Item: it})
	if now := h.stat(t, next); now.Ino == old.Ino || now.Size != 0 {
		t.Errorf("Stat(%s) = %+v, was %+v, want another file of unknown size", next, now, old)
	}
	h.wantFile(t, next, []byte(it.Text))
}

// outlives reads a file of next/ on while the name already stands for another.
func outlives(h *Harness) {
	t := h.T
	r, c, err := h.Access.Open(next)
	if err != nil {
		t.Fatal(err)
	}
	h.Do(t, Command{Op: "put", Item: Item{Path: next, Kind: "qemu", Text: "other", Buildable: true, Inputs: "bbbb"}})
	h.wantFile(t, next, []byte("other"))
	want := h.Want(t, next)
	got := make([]byte, len(want))
	if n, err := r.ReadAt(got, 0); n != len(want) || !bytes.Equal(got, want) {
		t.Errorf("the open file gives %d bytes, %v, want the %d it had", n, err, len(want))
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}
