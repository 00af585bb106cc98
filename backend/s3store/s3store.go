// Package s3store is a backend.Store over S3 and what speaks its protocol, with
// the AWS SDK for Go below it. Keys lie in a bucket as cosa lays them out:
// BUCKET/PREFIX/builds.json, BUCKET/PREFIX/ID/ARCH/FILE.
//
// It asks once and reports what came back; backend.Retry tries again. Only the
// parts of a multipart upload are tried again here, because nobody above can
// send a single one.
package s3store

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"cosafs/backend"
)

// A Store is what lies below one prefix of one bucket.
type Store struct {
	cfg    Config
	client *s3.Client
	idle   func()     // closes the connections that nobody uses
	sums   checksum   // what the store checks transfers with
	turn   lock       // held while a condition is checked by ourselves
	probed probeState // what is known of the store's conditions
}

var (
	_ backend.Store  = (*Store)(nil)
	_ backend.Writer = (*Store)(nil)
	_ backend.Walker = (*Store)(nil)
)

// Open gives the store that cfg describes. It reads AWS's configuration files but
// asks no server, so a store that is not there shows with the first call.
// Each request is sent once; decorate the store with [backend.Retry].
func Open(ctx context.Context, cfg Config) (*Store, error) {
	cfg = cfg.withDefaults()
	sums, err := checksumOf(cfg.Checksum)
	if err == nil {
		err = cfg.check()
	}
	if err != nil {
		return nil, fmt.Errorf("s3: %w", err)
	}
	s := &Store{cfg: cfg, sums: sums, turn: newLock(), probed: newProbeState()}
	if s.client, s.idle, err = newClient(ctx, cfg); err != nil {
		return nil, fmt.Errorf("%s: %w", s, err)
	}
	return s, nil
}

// String gives s3://BUCKET/PREFIX, for messages.
func (s *Store) String() string {
	return strings.TrimSuffix("s3://"+s.cfg.Bucket+"/"+s.cfg.Prefix, "/")
}

// Properties implements [backend.Store]. Conditions are promised: by a store that
// keeps them, or with SinglePublisher by the user, who says that there are no
// other writers. A store that was found to ignore them gives
// errors.ErrUnsupported all the same.
func (s *Store) Properties() backend.Properties {
	return backend.Properties{Parallel: s.cfg.Parallel, Ranges: true, Lists: true, Conditions: true}
}

// Close implements [backend.Store].
func (s *Store) Close() error {
	s.idle()
	return nil
}

// object gives the name that a key has in the bucket.
func (s *Store) object(key backend.Key) *string {
	if s.cfg.Prefix == "" {
		return aws.String(string(key))
	}
	return aws.String(s.cfg.Prefix + "/" + string(key))
}

// A lock is a mutex that one can stop waiting for. It may be held over requests.
type lock chan struct{}

func newLock() lock { return make(lock, 1) }

// take waits for the lock, or for the end of ctx with its error.
func (l lock) take(ctx context.Context) error {
	select {
	case l <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l lock) release() { <-l }
