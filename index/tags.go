package index

import (
	"fmt"
	"io/fs"
	"time"
)

// A Tag gives a build a name in builds.json.
type Tag struct {
	Name        string
	Target      BuildID // may not be listed: cosa tags with --force
	Created     time.Time
	Description string
}

// Tags gives the tags in order. Those without a name, or whose target can't be
// a build id, are left out.
func (b *Builds) Tags() []Tag {
	var tags []Tag
	for _, v := range b.doc.root.items("tags") {
		o, ok := v.(*object)
		if !ok || o.str("name") == "" || !ValidName(o.str("target")) {
			continue
		}
		tags = append(tags, Tag{
			Name: o.str("name"), Target: BuildID(o.str("target")),
			Created: o.time("created"), Description: o.str("description"),
		})
	}
	return tags
}

// SetTag points a tag at a build; a tag of that name moves and keeps its place.
// An empty name, or a target that can't be a file name, is [fs.ErrInvalid]. Like
// cosa it leaves the list's timestamp.
func (b *Builds) SetTag(name string, target BuildID, created time.Time) error {
	if name == "" {
		return fmt.Errorf("tag without a name: %w", fs.ErrInvalid)
	}
	if err := checkName("build id", string(target)); err != nil {
		return err
	}
	tag := b.findTag(name)
	if tag == nil {
		tag = newObject()
		tag.put("name", text(name))
		b.doc.put("tags", &array{items: append(b.doc.root.items("tags"), tag)})
	}
	b.doc.touch(tag.put("created", timestamp(created)))
	b.doc.touch(tag.put("target", text(target)))
	return nil
}

// DeleteTag takes a tag away and says whether there was one.
func (b *Builds) DeleteTag(name string) bool {
	return b.drop("tags", func(v value) bool { return tagName(v) == name }) > 0
}

// findTag gives the first tag of a name, nil where there is none.
func (b *Builds) findTag(name string) *object {
	for _, v := range b.doc.root.items("tags") {
		if o, ok := v.(*object); ok && tagName(v) == name {
			return o
		}
	}
	return nil
}

func tagName(v value) string {
	if o, ok := v.(*object); ok {
		return o.str("name")
	}
	return ""
}
