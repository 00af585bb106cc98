package s3store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/aws"
	"golang.org/x/sys/unix"
)

// A note is the journal's file on one multipart upload, named for the object and
// its bytes. Who uploads holds a lock on it. Methods of a nil note do nothing.
type note struct {
	f    *os.File
	want entry // what this upload is; without UploadID
	had  string
}

// An entry is what a note says. An upload can go on only where all of it is the
// same, since a multipart upload has its headers and checksum from the beginning.
type entry struct {
	Store, Object             string // for people
	SHA256                    string
	PartSize                  int64
	Checksum                  string
	ContentType, CacheControl string
	ACL                       string
	UploadID                  string
}

// upload gives the upload to go on with, "" for none.
func (n *note) upload() string {
	if n == nil {
		return ""
	}
	return n.had
}

// openNote takes the note on this upload, and ends those that the journal names
// for other bytes of the same object. There is no note without a journal, nor
// while somebody else uploads the same.
func (u *upload) openNote(ctx context.Context) (*note, error) {
	if u.cfg.Journal == "" {
		return nil, nil
	}
	want := entry{
		Store: u.String(), Object: *u.object(u.key), SHA256: hex.EncodeToString(u.src.SHA256[:]), PartSize: u.part,
		Checksum: u.cfg.Checksum, ContentType: u.src.ContentType, CacheControl: u.src.CacheControl, ACL: u.cfg.ACL,
	}
	if err := os.MkdirAll(u.cfg.Journal, 0o700); err != nil {
		return nil, fmt.Errorf("upload journal: %w", err)
	}
	object := sha256.Sum256([]byte(aws.ToString(u.client.Options().BaseEndpoint) + "\x00" + u.cfg.Bucket + "\x00" + want.Object))
	prefix := filepath.Join(u.cfg.Journal, hex.EncodeToString(object[:16]))
	path := prefix + "-" + want.SHA256 + ".json"
	u.endOthers(ctx, prefix, path)
	f, err := lockNote(path, os.O_RDWR|os.O_CREATE)
	if err != nil || f == nil {
		return nil, err
	}
	n := &note{f: f, want: want}
	if have, ok := readNote(f); ok {
		n.had, have.UploadID = have.UploadID, ""
		if have != want {
			u.abort(ctx, want.Object, n.had)
			n.had = ""
		}
	}
	return n, nil
}

// endOthers ends the uploads of other bytes that nobody works on.
func (u *upload) endOthers(ctx context.Context, prefix, mine string) {
	paths, _ := filepath.Glob(prefix + "-*.json") // it fails for bad patterns only
	for _, path := range paths {
		if path == mine {
			continue
		}
		f, err := lockNote(path, os.O_RDWR)
		if err != nil || f == nil {
			continue // gone, or somebody's; at worst the store keeps a few parts
		}
		if old, ok := readNote(f); ok {
			u.abort(ctx, old.Object, old.UploadID)
		}
		_ = (&note{f: f}).close(false) // as above
	}
}

// lockNote opens a note and locks it, which gives nil if another has the lock.
func lockNote(path string, flags int) (*os.File, error) {
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return nil, fmt.Errorf("upload journal: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil && linked(f) {
		return f, nil
	}
	_ = f.Close() // nothing was written
	if err == nil || errors.Is(err, unix.EWOULDBLOCK) {
		return nil, nil
	}
	return nil, fmt.Errorf("upload journal: lock %s: %w", path, err)
}

// linked says whether a file still has its name: who had the lock before may
// have removed it.
func linked(f *os.File) bool {
	var st unix.Stat_t
	return unix.Fstat(int(f.Fd()), &st) == nil && st.Nlink > 0
}

// readNote reads what a note says. One that was being written when the machine
// stopped says nothing.
func readNote(f *os.File) (e entry, ok bool) {
	data, err := io.ReadAll(f)
	if err != nil || json.Unmarshal(data, &e) != nil {
		return entry{}, false
	}
	return e, e.UploadID != ""
}

// save notes the upload.
func (n *note) save(id string) error {
	if n == nil {
		return nil
	}
	e := n.want
	e.UploadID = id
	data, err := json.Marshal(e)
	if err == nil {
		err = n.f.Truncate(0)
	}
	if err == nil {
		_, err = n.f.WriteAt(data, 0)
	}
	if err != nil {
		return fmt.Errorf("upload journal: %w", err)
	}
	return nil
}

// close lets go of the note, and removes it unless the upload is to go on.
func (n *note) close(keep bool) error {
	if n == nil {
		return nil
	}
	var err error
	if !keep {
		err = os.Remove(n.f.Name())
	}
	if err = errors.Join(err, n.f.Close()); err != nil {
		return fmt.Errorf("upload journal: %w", err)
	}
	return nil
}
