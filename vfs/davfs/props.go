package davfs

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"cosafs/vfs"
)

// Namespaces, which answers bind to the prefixes D and C.
const (
	davSpace    = "DAV:"
	cosafsSpace = "urn:x-cosafs:"
)

// A property is one live property. Nothing stores dead ones.
type property struct {
	name xml.Name
	tag  string // with its prefix
	// extra properties are given only to those who ask for them by name.
	extra bool
	// append adds the value to b as XML, unless the resource has none.
	append func(b []byte, r *resource) (_ []byte, ok bool)
}

// A resource is what properties are told of: loaded facts.
type resource struct {
	path   string // below the root, without slashes at its ends
	name   string
	attr   vfs.Attr // of what a link leads to
	target string   // of a link, else ""
	entry  vfs.Entry
	known  bool // entry is valid
	xattrs []vfs.Xattr
}

func (r *resource) collection() bool { return r.attr.Mode.IsDir() }

// properties lists what resources may have. No quota, which confuses clients of a
// tree that nobody writes to, and nothing of locks, which class 1 has not.
var properties = slices.Concat(davProperties(), cosafsProperties())

func davProperties() []property {
	list := []property{
		{append: appendType, name: davName("resourcetype")},
		{append: appendDisplayName, name: davName("displayname")},
		{append: appendLength, name: davName("getcontentlength")},
		{append: appendModified, name: davName("getlastmodified")},
		{append: appendCreated, name: davName("creationdate")},
		{append: appendETag, name: davName("getetag")},
		{append: appendContentType, name: davName("getcontenttype")},
	}
	for i := range list {
		list[i].tag = "D:" + list[i].name.Local
	}
	return list
}

// cosafsProperties tell what extended attributes tell on a mount, and what a
// client of WebDAV could not know otherwise of a node.
func cosafsProperties() []property {
	list := []property{
		{append: appendTarget, name: xml.Name{Space: cosafsSpace, Local: "target"}},
		{append: appendFileID, name: xml.Name{Space: cosafsSpace, Local: "fileid"}},
		{append: appendMode, name: xml.Name{Space: cosafsSpace, Local: "mode"}},
	}
	for _, name := range []string{"state", "reason", "progress", "sha256", "size", "source"} {
		list = append(list, property{name: xml.Name{Space: cosafsSpace, Local: name}, append: xattr("user.cosafs." + name)})
	}
	for i := range list {
		list[i].tag, list[i].extra = "C:"+list[i].name.Local, true
	}
	return list
}

func davName(local string) xml.Name { return xml.Name{Space: davSpace, Local: local} }

// every gives all properties, usual those that who asks for no names wants.
func every() []*property {
	list := make([]*property, len(properties))
	for i := range properties {
		list[i] = &properties[i]
	}
	return list
}

func usual() []*property {
	return slices.DeleteFunc(every(), func(p *property) bool { return p.extra })
}

func appendType(b []byte, r *resource) ([]byte, bool) {
	if r.collection() {
		b = append(b, "<D:collection/>"...)
	}
	return b, true
}

func appendDisplayName(b []byte, r *resource) ([]byte, bool) { return appendText(b, r.name), true }

// appendLength gives an exact length or none: clients silently make empty or cut
// files of any other number.
func appendLength(b []byte, r *resource) ([]byte, bool) {
	if r.collection() || r.attr.Size < 0 {
		return b, false
	}
	return strconv.AppendInt(b, r.attr.Size, 10), true
}

func appendModified(b []byte, r *resource) ([]byte, bool) {
	return appendTime(b, r, http.TimeFormat)
}

// appendCreated gives the same date: nothing in the tree changes after it is made.
func appendCreated(b []byte, r *resource) ([]byte, bool) {
	return appendTime(b, r, time.RFC3339)
}

func appendTime(b []byte, r *resource, layout string) ([]byte, bool) {
	if r.attr.ModTime.IsZero() {
		return b, false
	}
	return r.attr.ModTime.UTC().AppendFormat(b, layout), true
}

func appendETag(b []byte, r *resource) ([]byte, bool) {
	if r.collection() {
		return b, false
	}
	tag := entityTag(r.attr, r.entry, r.known)
	return appendText(b, tag), tag != ""
}

func appendContentType(b []byte, r *resource) ([]byte, bool) {
	if r.collection() {
		return b, false
	}
	return appendText(b, contentType(r.name)), true
}

func appendTarget(b []byte, r *resource) ([]byte, bool) {
	return appendText(b, r.target), r.target != ""
}

func appendFileID(b []byte, r *resource) ([]byte, bool) {
	return strconv.AppendUint(b, r.attr.Ino, 10), r.attr.Ino != 0
}

func appendMode(b []byte, r *resource) ([]byte, bool) {
	return fmt.Appendf(b, "%04o", r.attr.Mode.Perm()), true
}

// xattr gives the value of an extended attribute.
func xattr(name string) func(b []byte, r *resource) ([]byte, bool) {
	return func(b []byte, r *resource) ([]byte, bool) {
		for _, x := range r.xattrs {
			if x.Name == name {
				return appendText(b, string(x.Value)), true
			}
		}
		return b, false
	}
}
