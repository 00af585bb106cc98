package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"cosafs/backend"
	"cosafs/index/catalog"
	"cosafs/materialize/blobcache"
)

// listFile is the list of a store's builds.
const listFile = "builds.json"

// metaFile describes a build of an architecture.
const metaFile = "meta.json"

// maxDocument bounds what is read into memory as a document, in bytes. The
// largest that cosa writes, a builds.json of ten thousand builds, has 3 MB.
const maxDocument = 64 << 20

// A source is a store with what became of asking it.
type source struct {
	name    string
	store   backend.Store
	offline bool
	least   int // builds to look at again at each sync

	listed sync.Map // backend.Key -> backend.Info: of meta.json files, during a sync

	mu      sync.Mutex // guards the fields below; never held while the store is asked
	last    asking
	recheck int // how many of the newest builds to look at again, as a read showed; 0 = no more than usual
}

// An asking is how asking a store went in this process.
type asking struct {
	synced   time.Time // when it answered last; zero = never
	problem  error     // why it did not answer the last time; nil = it did
	troubles []error   // what could not be used of its last answer
}

var _ catalog.Source = (*source)(nil)

func newSource(s Source, offline bool) *source {
	return &source{name: s.Name, store: s.Store, offline: offline, least: s.Recheck}
}

// List implements [catalog.Source]: one request where nothing changed.
func (s *source) List(ctx context.Context, known string) ([]byte, catalog.File, error) {
	return s.document(ctx, listFile, listFile, known)
}

// Read implements [catalog.Source].
func (s *source) Read(ctx context.Context, id, name, known string) ([]byte, catalog.File, error) {
	return s.document(ctx, backend.Key(id).Join(name), name, known)
}

// Files implements [catalog.Source].
func (s *source) Files(ctx context.Context, id string) ([]catalog.File, error) {
	if !s.store.Properties().Lists {
		return nil, fmt.Errorf("list %s: %w", s.name, errors.ErrUnsupported)
	}
	var files []catalog.File
	for info, err := range backend.Walk(ctx, s.store, backend.Key(id)) {
		if err != nil {
			return nil, err
		}
		if name, ok := strings.CutPrefix(string(info.Key), id+"/"); ok {
			files = append(files, fileOf(name, info))
			if info.Key.Base() == metaFile && info.Version != "" {
				s.listed.Store(info.Key, info)
			}
		}
	}
	return files, nil
}

func fileOf(name string, info backend.Info) catalog.File {
	return catalog.File{Name: name, Size: info.Size, ModTime: info.ModTime, Version: info.Version}
}

// rereads is how often a document that is replaced while it is read is read again.
const rereads = 3

// document gives a document, or no bytes if it is still the known version.
func (s *source) document(ctx context.Context, key backend.Key, name, known string) (data []byte, f catalog.File, err error) {
	for range rereads {
		info, err := s.describe(ctx, key)
		if err != nil {
			return nil, catalog.File{}, err
		}
		f = fileOf(name, info)
		if known != "" && info.Version == known {
			return nil, f, nil
		}
		data, err = s.read(ctx, key, info)
		if !errors.Is(err, backend.ErrChanged) {
			return data, f, err
		}
	}
	return nil, f, fmt.Errorf("%s: replaced again and again while it was read: %w", key, backend.ErrChanged)
}

// describe describes a document, from the list that was read a moment ago where
// that had it: a request less for each of ten thousand builds. What changed since
// is found when it is opened.
func (s *source) describe(ctx context.Context, key backend.Key) (backend.Info, error) {
	if known, ok := s.listed.LoadAndDelete(key); ok {
		if info, ok := known.(backend.Info); ok {
			return info, nil
		}
	}
	return s.store.Stat(ctx, key)
}

func (s *source) read(ctx context.Context, key backend.Key, info backend.Info) ([]byte, error) {
	if info.Size > maxDocument {
		return nil, fmt.Errorf("%s: %d bytes are too many for a document: %w", key, info.Size, errors.ErrUnsupported)
	}
	body, err := s.store.Open(ctx, key, backend.Range{Len: info.Size}, info.Version)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(body)
	return data, errors.Join(err, body.Close())
}

// asked notes how asking the store went.
func (s *source) asked(report catalog.Report, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last.problem = err; err == nil {
		s.last.synced, s.last.troubles = time.Now(), report.Problems
	}
}

// look has the next sync look at so many of the newest builds again.
func (s *source) look(builds int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recheck = max(s.recheck, builds)
}

// looks gives what [source.look] asked for, once.
func (s *source) looks() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.recheck
	s.recheck = 0
	return n
}

// silent says why the store can't be asked, as far as is known: nil if nothing
// speaks against it.
func (s *source) silent() error {
	if s.offline {
		return errOffline
	}
	return s.asking().problem
}

// asking gives what [source.asked] noted.
func (s *source) asking() asking {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// An origin is an object of a store as the cache reads it: one version only.
type origin struct {
	src     *source
	key     backend.Key
	version string
}

var _ blobcache.Origin = origin{}

// Open implements [blobcache.Origin].
func (o origin) Open(ctx context.Context, off, n int64) (io.ReadCloser, error) {
	if o.src.offline {
		return nil, errOffline
	}
	body, err := o.src.store.Open(ctx, o.key, backend.Range{Off: off, Len: n}, o.version)
	if err != nil {
		return nil, changed(err)
	}
	return originBody{body}, nil
}

// An originBody tells in the cache's words that the object was replaced.
type originBody struct{ io.ReadCloser }

// Read implements [io.Reader].
func (b originBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	return n, changed(err)
}

// changed translates a store's word for another version. A range past the end
// says the same: the size is part of the version.
func changed(err error) error {
	if errors.Is(err, backend.ErrChanged) || errors.Is(err, backend.ErrRange) {
		return fmt.Errorf("%w: %w", blobcache.ErrChanged, err)
	}
	return err
}
