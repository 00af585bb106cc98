// Package cas changes the small documents of a store, builds.json and
// meta.json, by compare-and-swap: whoever else writes at the same time, on
// whatever machine, no change is lost. It needs nothing of the store but
// conditional writes.
package cas

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"time"

	"cosafs/backend"
	"cosafs/materialize"
)

// A Document is an object that several writers change.
type Document struct {
	Store backend.Store // has to be a backend.Writer for Update
	Key   backend.Key
	// CacheControl is what the object is handed out with; "" is the store's default.
	CacheControl string
}

// A Change gives the new bytes for a document's old ones. old is nil where there
// is no object; the new ones are nil, or the old ones, where nothing is to be
// changed. It is called again, with what is there by then, whenever somebody
// else was faster, and after an answer that was lost: so it has to find its own
// work done.
type Change func(ctx context.Context, old []byte) ([]byte, error)

// Bounds of the waits between tries, and of the time that a store may fail for
// without a break. Losing against others has no bound but ctx: each loss is
// somebody's success.
const (
	firstWait = 20 * time.Millisecond
	maxWait   = 2 * time.Second
	patience  = 2 * time.Minute
)

// Update applies a change and says whether anything was written. An error of
// change ends it and comes back as it is. A store that has no conditions gives
// [errors.ErrUnsupported].
//
// A condition that does not hold is a loss, and change is asked again. An answer
// that says neither yes nor no may have been lost after the fact: what is
// there now decides, and bytes that are the sent ones are a success.
func (d Document) Update(ctx context.Context, change Change) (bool, error) {
	w, ok := backend.As[backend.Writer](d.Store)
	if !ok {
		return false, fmt.Errorf("change %s: the store is read-only: %w", d.Key, errors.ErrUnsupported)
	}
	u := updating{Document: d, w: w, change: change}
	for {
		done, err := u.try(ctx)
		if done {
			return u.sent != nil, err
		}
		if err := u.pause(ctx, err); err != nil {
			return false, err
		}
	}
}

// updating is one Update.
type updating struct {
	Document
	w      backend.Writer
	change Change
	sent   []byte    // by the last try
	tries  int       // that failed so far
	broken time.Time // since when the store gives no answer; zero while it does
}

// try says whether that was the end, be it a good or a bad one.
func (u *updating) try(ctx context.Context) (done bool, err error) {
	old, version, err := Read(ctx, u.Store, u.Key)
	cond := backend.Cond{IfMatch: version}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		cond = backend.Cond{IfAbsent: true}
	case err != nil:
		return backend.Final(err) && !lost(err), err
	case u.sent != nil && bytes.Equal(old, u.sent):
		return true, nil
	}
	data, err := u.change(ctx, old)
	if err != nil || data == nil || old != nil && bytes.Equal(data, old) {
		return true, err
	}
	u.sent = data
	return u.put(ctx, cond)
}

func (u *updating) put(ctx context.Context, cond backend.Cond) (done bool, err error) {
	_, err = u.w.Put(ctx, u.Key, Source(u.sent, u.CacheControl), cond)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, errors.ErrUnsupported):
		return true, Unconditional(err)
	}
	return backend.Final(err) && !lost(err), err
}

// lost says whether somebody else was faster. A store may call an object that
// should have been replaced, and was deleted, absent.
func lost(err error) bool {
	return errors.Is(err, backend.ErrCondition) || errors.Is(err, backend.ErrChanged) || errors.Is(err, fs.ErrNotExist)
}

// pause waits before the next try. Waits are spread over their whole length, or
// those who collided would collide again.
func (u *updating) pause(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("change %s: %w", u.Key, err)
	case lost(err):
		u.broken = time.Time{}
	case u.broken.IsZero():
		u.broken = time.Now()
	case time.Since(u.broken) > patience:
		return materialize.Fail(materialize.ClassNetwork, fmt.Sprintf("change %s", u.Key), "try again when the store answers; what was sent is kept", err)
	}
	wait := min(firstWait<<min(u.tries, 10), maxWait)
	u.tries++
	return Wait(ctx, rand.N(wait))
}

// Wait waits, or gives ctx's error.
func Wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// readTries is how often an object may be replaced while it is read.
const readTries = 20

// Read reads a small object whole, with the version it had. One that is replaced
// meanwhile is read again; if that doesn't end, it is [backend.ErrChanged]. Bytes
// that never have the digest that the store keeps are [backend.ErrDigest].
func Read(ctx context.Context, s backend.Store, key backend.Key) (data []byte, version string, err error) {
	for range readTries {
		data, version, err = read(ctx, s, key)
		replaced := errors.Is(err, backend.ErrChanged) || errors.Is(err, backend.ErrRange) || errors.Is(err, backend.ErrDigest)
		if !replaced || ctx.Err() != nil {
			break
		}
	}
	return data, version, err
}

func read(ctx context.Context, s backend.Store, key backend.Key) (data []byte, version string, err error) {
	info, err := s.Stat(ctx, key)
	if err != nil {
		return nil, "", err
	}
	body, err := s.Open(ctx, key, backend.Range{Len: info.Size}, info.Version)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = body.Close() }() // read only
	data = make([]byte, info.Size)
	if _, err := io.ReadFull(body, data); err != nil {
		return nil, "", fmt.Errorf("read %s: %w", key, err)
	}
	return data, info.Version, intact(ctx, s, info, data)
}

// intact makes sure that data is what info describes. A server over a file system
// may check the version and open the file after it (versitygw 1.8.0 does): then
// the start of a new object comes as the old one.
func intact(ctx context.Context, s backend.Store, info backend.Info, data []byte) error {
	if info.SHA256 != [sha256.Size]byte{} {
		if sha256.Sum256(data) != info.SHA256 {
			return fmt.Errorf("read %s: %w", info.Key, backend.ErrDigest)
		}
		return nil
	}
	now, err := s.Stat(ctx, info.Key)
	if err == nil && now.Version != info.Version {
		err = fmt.Errorf("read %s: %w", info.Key, backend.ErrChanged)
	}
	return err
}

// Source is a JSON document as the source of a Put.
func Source(data []byte, cacheControl string) backend.Source {
	return backend.Source{
		ReaderAt: bytes.NewReader(data), Size: int64(len(data)), SHA256: sha256.Sum256(data),
		ContentType: "application/json", CacheControl: cacheControl,
	}
}

// Unconditional explains a store that has no conditional writes.
func Unconditional(err error) error {
	return materialize.Fail(materialize.ClassConfig, "write under a condition",
		"where nobody else writes to this store: --single-publisher", err)
}
