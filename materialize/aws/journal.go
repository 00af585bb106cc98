package aws

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// A digest is a block's sha256.
type digest = [sha256.Size]byte

// A journal says which blocks a snapshot has for sure. A block is noted after the
// answer to its put, so a killed upload knows too little, never too much. Methods of
// a nil journal do nothing. It may be used by several goroutines.
type journal struct {
	f    *os.File
	mu   sync.Mutex // of the writes
	sent map[int32]digest
}

// openJournal takes the journal of a snapshot. There is none without a directory.
// Two uploads of the same don't run at once.
func openJournal(dir, snapshot string) (*journal, error) {
	if dir == "" {
		return nil, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	f, err := os.OpenFile(journalPath(dir, snapshot), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("journal: another process uploads %s: %w", snapshot, err), f.Close())
	}
	j := &journal{f: f, sent: readJournal(f)}
	// A line that was cut by a kill ends here, and is no line.
	if _, err := f.WriteString("\n"); err != nil {
		return nil, errors.Join(fmt.Errorf("journal: %w", err), f.Close())
	}
	return j, nil
}

// journalPath is where the journal of a snapshot lies.
func journalPath(dir, snapshot string) string { return filepath.Join(dir, snapshot+".blocks") }

// forgetJournal removes the journal of a snapshot that came to nothing, if there is one.
func forgetJournal(dir, snapshot string) {
	if dir != "" {
		_ = os.Remove(journalPath(dir, snapshot)) // at worst a small file stays
	}
}

// readJournal reads the lines that are whole.
func readJournal(r io.Reader) map[int32]digest {
	sent := map[int32]digest{}
	for lines := bufio.NewScanner(r); lines.Scan(); {
		var index int32
		var text string
		n, err := fmt.Sscanf(lines.Text(), "%d %s", &index, &text)
		sum, hexErr := hex.DecodeString(text)
		if n == 2 && err == nil && hexErr == nil && len(sum) == sha256.Size {
			sent[index] = digest(sum)
		}
	}
	return sent
}

// has says whether the snapshot has the block with these bytes.
func (j *journal) has(index int32, sum digest) bool {
	if j == nil {
		return false
	}
	had, ok := j.sent[index]
	return ok && had == sum
}

// note notes a block that was put. Its error only costs a block that is sent twice.
func (j *journal) note(index int32, sum digest) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	_, _ = fmt.Fprintf(j.f, "%d %x\n", index, sum) // as above
}

// close ends the journal, and removes it once the snapshot is completed.
func (j *journal) close(completed bool) error {
	if j == nil {
		return nil
	}
	var err error
	if completed {
		err = os.Remove(j.f.Name())
	}
	return errors.Join(err, j.f.Close())
}
