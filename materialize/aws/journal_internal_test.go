package aws

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func TestJournalKnowsWholeLinesOnly(t *testing.T) {
	dir, sum := t.TempDir(), sha256.Sum256([]byte("block"))
	cut := fmt.Sprintf("7 %x\n8 %x", sum, sum[:9]) // killed while it wrote the second line
	if err := os.WriteFile(filepath.Join(dir, "snap-1.blocks"), []byte(cut), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, want := range []bool{false, true} {
		j, err := openJournal(dir, "snap-1")
		if err != nil {
			t.Fatal(err)
		}
		if !j.has(7, sum) || j.has(8, sum) || j.has(9, sum) != want || j.has(7, digest{}) {
			t.Errorf("the journal has %v", j.sent)
		}
		if _, err := openJournal(dir, "snap-1"); err == nil {
			t.Error("two uploads have one journal")
		}
		j.note(9, sum)
		if err := j.close(false); err != nil {
			t.Fatal(err)
		}
	}
}

func FuzzReadJournal(f *testing.F) {
	sum := sha256.Sum256(nil)
	f.Add(fmt.Appendf(nil, "1 %x\n\n2 %x", sum, sum[:3]))
	f.Fuzz(func(t *testing.T, text []byte) {
		var again bytes.Buffer
		sent := readJournal(bytes.NewReader(text))
		for index, sum := range sent {
			fmt.Fprintf(&again, "%d %x\n", index, sum)
		}
		if got := readJournal(&again); len(got) != len(sent) {
			t.Errorf("%d lines read, %d read again", len(sent), len(got))
		}
	})
}
