package workdir

import (
	"hash/maphash"
	"sync"

	"cosafs/materialize"
)

// contents knows what each artifact held when this process first saw it recorded, so
// that a file which took the place of another one is told from it: doors keep what
// they know of a file by its identity. It holds 16 bytes an artifact.
type contents struct {
	seed maphash.Seed

	mu    sync.Mutex
	first map[uint64]uint64 // of build, architecture and kind: of the content; guarded by mu
}

func newContents() *contents { return &contents{seed: maphash.MakeSeed(), first: map[uint64]uint64{}} }

// of gives "" for what was seen first, and for what is not recorded; else the digest.
func (c *contents) of(build, arch string, a materialize.Artifact) string {
	content := a.Content()
	if content == "" {
		return ""
	}
	key := maphash.String(c.seed, build+"/"+arch+"/"+a.Kind)
	now := maphash.String(c.seed, content)
	c.mu.Lock()
	defer c.mu.Unlock()
	first, known := c.first[key]
	if !known {
		c.first[key] = now
	}
	if !known || first == now {
		return ""
	}
	return content
}
