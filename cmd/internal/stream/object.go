package stream

import (
	"context"
	"strings"
	"time"

	"cosafs/backend"
	"cosafs/materialize/blobcache"
)

// An object is a file of a store, in one version.
type object struct {
	src     *source
	key     backend.Key
	size    int64  // bytes; -1 until the store is asked
	version string // "" until the store is asked
	sha256  string // hex, as meta.json records it; "" if it doesn't
	mtime   time.Time
}

// blob is the object as the cache knows it: by its version, so that another
// version under the same key is another object.
func (o object) blob() blobcache.Object {
	return blobcache.Object{ID: strings.Join([]string{o.src.name, string(o.key), o.version}, "\n"), Name: string(o.key), Size: o.size, SHA256: o.sha256}
}

func (o object) origin() blobcache.Origin { return origin{src: o.src, key: o.key, version: o.version} }

// known adds to an object that no list describes what the store once said of it.
func (s *Stream) known(o object) object {
	was, ok := s.seen.get(o.src.name, string(o.key))
	if !ok || o.size >= 0 && o.size != was.Size {
		return o // never asked, or meta.json knows another file by now
	}
	o.size, o.version = was.Size, was.Version
	if o.sha256 == "" && !was.ModTime.IsZero() {
		o.mtime = was.ModTime
	}
	return o
}

// ask has the store describe an object, and remembers what it says.
func (s *Stream) ask(ctx context.Context, o object) (object, error) {
	if o.src.offline {
		return o, errOffline
	}
	info, err := o.src.store.Stat(ctx, o.key)
	if err != nil {
		return o, err
	}
	o.size, o.version, o.mtime = info.Size, info.Version, info.ModTime
	return o, s.seen.put(sighting{
		Store: o.src.name, Key: string(o.key), Size: info.Size, ModTime: info.ModTime, Version: info.Version,
	})
}

// object gives a file beside a build's architectures.
func (b beside) object(id string) object {
	return object{
		src: b.src, key: backend.Key(id).Join(b.file.Name), size: b.file.Size, version: b.file.Version, mtime: b.file.ModTime,
	}
}
