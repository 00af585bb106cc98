package scratch

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"

	"golang.org/x/net/webdav"
	"golang.org/x/sys/unix"
)

// propsAttr is the extended attribute that holds all dead properties of a file or
// directory. It is part of the file: it moves, is deleted and survives with it,
// and one system call changes all of it or nothing.
const propsAttr = "user.cosafs.dav"

// A prop is a dead property as it is kept.
type prop struct {
	Space string `json:"ns"`
	Local string `json:"name"`
	Lang  string `json:"lang,omitempty"`
	XML   string `json:"xml"`
}

// readProps gives the attribute's value; nothing where there is none, or where
// the file system has no such attributes.
func readProps(f *os.File) ([]byte, error) {
	for {
		n, err := unix.Fgetxattr(int(f.Fd()), propsAttr, nil)
		if errors.Is(err, unix.ENODATA) || errors.Is(err, unix.ENOTSUP) {
			return nil, nil
		}
		if err != nil {
			return nil, &fs.PathError{Op: "fgetxattr", Path: f.Name(), Err: err}
		}
		raw := make([]byte, n)
		n, err = unix.Fgetxattr(int(f.Fd()), propsAttr, raw)
		if err == nil {
			return raw[:n], nil
		}
		if !errors.Is(err, unix.ERANGE) { // it grew in between
			return nil, &fs.PathError{Op: "fgetxattr", Path: f.Name(), Err: err}
		}
	}
}

// writeProps sets the attribute's value for good.
func writeProps(f *os.File, raw []byte) error {
	if err := unix.Fsetxattr(int(f.Fd()), propsAttr, raw, 0); err != nil {
		return &fs.PathError{Op: "fsetxattr", Path: f.Name(), Err: err}
	}
	return f.Sync()
}

// stored gives the properties on disk. A value that is no list of them has been
// written by somebody else: it is logged, and takes no listing down.
func (o *opened) stored() (map[xml.Name]webdav.Property, error) {
	raw, err := readProps(o.file)
	if err != nil {
		return nil, err
	}
	all := map[xml.Name]webdav.Property{}
	var list []prop
	if err := json.Unmarshal(raw, &list); err != nil && len(raw) > 0 {
		o.s.c.log.WarnContext(o.s.r.Context(), "scratch: properties are unreadable", "path", o.name, "attr", propsAttr, "err", err)
	}
	for _, p := range list {
		name := xml.Name{Space: p.Space, Local: p.Local}
		all[name] = webdav.Property{XMLName: name, Lang: p.Lang, InnerXML: []byte(p.XML)}
	}
	return all, nil
}

// DeadProps gives the stored properties, and for PROPFIND the locks, which
// x/net/webdav does not know of.
func (o *opened) DeadProps() (map[xml.Name]webdav.Property, error) {
	all, err := o.stored()
	if err == nil && o.s.r.Method == "PROPFIND" {
		maps.Insert(all, maps.All(o.s.lockProps(o.name)))
	}
	return all, err
}

// Patch changes the stored properties, all or none of them.
func (o *opened) Patch(patches []webdav.Proppatch) ([]webdav.Propstat, error) {
	all, err := o.stored()
	if err != nil {
		return nil, err
	}
	stat := webdav.Propstat{Status: http.StatusOK}
	for _, patch := range patches {
		for _, p := range patch.Props {
			stat.Props = append(stat.Props, webdav.Property{XMLName: p.XMLName})
			if patch.Remove {
				delete(all, p.XMLName)
			} else {
				all[p.XMLName] = p
			}
		}
	}
	raw, err := encodeProps(all)
	if err != nil {
		return nil, err
	}
	stat.Status, stat.ResponseDescription, err = propsStatus(writeProps(o.file, raw))
	return []webdav.Propstat{stat}, err
}

// propsStatus tells a client what a file system does not take; other errors are
// the server's.
func propsStatus(err error) (status int, text string, other error) {
	switch {
	case err == nil:
		return http.StatusOK, "", nil
	case errors.Is(err, unix.ENOTSUP):
		return http.StatusForbidden, "the file system keeps no extended attributes", nil
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.E2BIG), errors.Is(err, unix.EDQUOT):
		return http.StatusInsufficientStorage, "the file system keeps no more properties for one file", nil
	}
	return 0, "", err
}

// encodeProps writes properties in the order of their names.
func encodeProps(all map[xml.Name]webdav.Property) ([]byte, error) {
	list := make([]prop, 0, len(all))
	for name, p := range all {
		list = append(list, prop{name.Space, name.Local, p.Lang, string(p.InnerXML)})
	}
	slices.SortFunc(list, func(a, b prop) int {
		return strings.Compare(a.Space+" "+a.Local, b.Space+" "+b.Local)
	})
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(list)
	return b.Bytes(), err
}

// copyProps gives a directory of a copy the properties of its original:
// x/net/webdav does so for files only.
func (f files) copyProps(name string) error {
	from := f.s.name + strings.TrimPrefix(clean(name), f.s.dest)
	src, err := f.s.c.tree.open(from)
	if err != nil {
		return err
	}
	raw, err := readProps(src)
	if err := errors.Join(err, src.Close()); err != nil || len(raw) == 0 {
		return err
	}
	dst, err := f.s.c.tree.root.Open(f.place(name))
	if err != nil {
		return err
	}
	return errors.Join(writeProps(dst, raw), dst.Close())
}
