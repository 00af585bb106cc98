package stream

import (
	"cosafs/index"
	"cosafs/index/catalog"
	"cosafs/materialize"
	"cosafs/vfs"
)

// whyGone says why a recorded image that no list names does not exist, as far
// as that is proven: cosa's garbage collection notes in builds.json what it
// deletes and leaves meta.json as it was, and a complete list of the directory
// names what is left. nil where the store has to be asked.
func whyGone(rec record, im index.Image, e vfs.Entry) error {
	switch {
	case rec.cleanup != nil && !rec.cleanup.Keeps(im.Kind):
		return goneFailure(e, rec.src, "the store's garbage collection deleted it (policy-cleanup in builds.json)")
	case rec.Listed:
		return goneFailure(e, rec.src, noObject)
	}
	return nil
}

// noObject is how a recorded image is gone that nobody told of.
const noObject = "meta.json names it, but the store has no such object"

// goneFailure says that bytes are gone. Nothing is built in their place: an
// image made again would not be the recorded one.
func goneFailure(e vfs.Entry, src *source, why string) error {
	return materialize.Fail(materialize.ClassConfig, "open "+e.Name, "look for a build that still has one: cosafs find --kind "+e.Kind,
		materialize.Says(materialize.ErrGone, "%s: %s", src.name, why))
}

// cleanupOf gives what the list says was deleted of a build's artifacts: nil for
// nothing, all of a build that the list has as wholly deleted.
func cleanupOf(b catalog.Build, buried bool) *index.Cleanup {
	c := b.Cleanup
	c.Build = c.Build || buried
	if !c.Build && !c.Images {
		return nil
	}
	return &c
}
