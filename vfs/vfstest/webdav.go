package vfstest

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"cosafs/vfs"
)

// WebDAV is the tree through a WebDAV server at base, a URL that ends in a slash.
// It speaks as its clients do: PROPFIND to look, GET to open, and ranges of the
// version that was opened to read.
func WebDAV(ctx func() context.Context, client *http.Client, base string) Access {
	return &webDAV{ctx, client, base}
}

type webDAV struct {
	ctx    func() context.Context
	client *http.Client
	base   string
}

// davFile is what PROPFIND tells of one resource.
type davFile struct {
	Href     string    `xml:"DAV: href"`
	Propstat []davProp `xml:"DAV: propstat"`
}

// davProp is a set of properties that have the same status.
type davProp struct {
	Status string `xml:"DAV: status"`
	Values struct {
		All []davValue `xml:",any"`
	} `xml:"DAV: prop"`
}

type davValue struct {
	XMLName    xml.Name
	Text       string    `xml:",chardata"`
	Collection *struct{} `xml:"DAV: collection"` // of resourcetype
}

// davAsked are the properties that Access needs.
var davAsked = []string{"target", "fileid", "mode", "state", "reason", "progress", "sha256", "size", "source"}

// davSpace is the namespace of the tree's own properties.
const davSpace = "urn:x-cosafs:"

// found gives the properties that the resource has, by local name: the
// namespaces have none in common.
func (f *davFile) found() (values map[string]string, collection bool) {
	values = map[string]string{}
	for _, p := range f.Propstat {
		if !strings.Contains(p.Status, " 200 ") {
			continue
		}
		for _, v := range p.Values.All {
			collection = collection || v.Collection != nil
			values[v.XMLName.Local] = v.Text
		}
	}
	return values, collection
}

func (d *webDAV) url(p string) string {
	if p == "." {
		p = ""
	}
	return d.base + (&url.URL{Path: p}).EscapedPath()
}

// send sends a request; the caller closes the answer's body.
func (d *webDAV) send(method, p string, body string, header ...string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(d.ctx(), method, d.url(p), strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return d.client.Do(req)
}

// look sends a PROPFIND.
func (d *webDAV) look(p string, depth int) ([]davFile, error) {
	body := `<propfind xmlns="DAV:" xmlns:c="` + davSpace + `"><prop><resourcetype/><getcontentlength/>`
	for _, name := range davAsked {
		body += "<c:" + name + "/>"
	}
	resp, err := d.send("PROPFIND", p, body+"</prop></propfind>", "Depth", strconv.Itoa(depth))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	var answer struct {
		XMLName xml.Name  `xml:"DAV: multistatus"`
		Files   []davFile `xml:"DAV: response"`
	}
	switch resp.StatusCode {
	case http.StatusMultiStatus:
		err = xml.NewDecoder(resp.Body).Decode(&answer)
	case http.StatusNotFound:
		err = d.missing(p)
	default:
		err = fmt.Errorf("PROPFIND %s: %s", p, resp.Status)
	}
	if err == nil && len(answer.Files) == 0 {
		err = fmt.Errorf("PROPFIND %s: no response", p)
	}
	return answer.Files, err
}

// missing finds out what 404 does not tell: whether the path leads through a file.
func (d *webDAV) missing(p string) error {
	parent := path.Dir(p)
	files, err := d.look(parent, 0)
	if err != nil {
		return err
	}
	if _, collection := files[0].found(); !collection {
		return &fs.PathError{Op: "PROPFIND", Path: p, Err: vfs.ErrNotDir}
	}
	return &fs.PathError{Op: "PROPFIND", Path: p, Err: fs.ErrNotExist}
}

func (d *webDAV) Stat(p string) (Info, error) {
	files, err := d.look(p, 0)
	if err != nil {
		return Info{}, err
	}
	values, collection := files[0].found()
	if target := values["target"]; target != "" {
		return Info{Type: fs.ModeSymlink, Size: int64(len(target))}, nil
	}
	var info Info
	if collection {
		info.Type = fs.ModeDir
	} else if size := values["getcontentlength"]; size != "" {
		info.Size, err = strconv.ParseInt(size, 10, 64)
	}
	perm, permErr := strconv.ParseUint(values["mode"], 8, 32)
	info.Perm = fs.FileMode(perm)
	var inoErr error
	info.Ino, inoErr = strconv.ParseUint(values["fileid"], 10, 64)
	return info, errors.Join(err, permErr, inoErr)
}

func (d *webDAV) List(p string) ([]string, error) {
	files, err := d.look(p, 1)
	if err != nil {
		return nil, err
	}
	if _, collection := files[0].found(); !collection {
		return nil, vfs.ErrNotDir
	}
	names := make([]string, 0, len(files))
	for _, f := range files[1:] {
		name, err := url.PathUnescape(path.Base(f.Href))
		if err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}

func (d *webDAV) Readlink(p string) (string, error) {
	files, err := d.look(p, 0)
	if err != nil {
		return "", err
	}
	values, _ := files[0].found()
	if values["target"] == "" {
		return "", fs.ErrInvalid
	}
	return values["target"], nil
}

func (d *webDAV) Xattrs(p string) (map[string]string, error) {
	files, err := d.look(p, 0)
	if err != nil {
		return nil, err
	}
	values, _ := files[0].found()
	m := map[string]string{}
	for _, name := range davAsked[3:] { // those before are no extended attributes
		if v := values[name]; v != "" {
			m["user.cosafs."+name] = v
		}
	}
	return m, nil
}

// Open sends a GET, whose answer it keeps: it is the bytes as they were.
func (d *webDAV) Open(p string) (io.ReaderAt, io.Closer, error) {
	resp, err := d.send(http.MethodGet, p, "")
	if err != nil {
		return nil, nil, err
	}
	if resp.StatusCode == http.StatusOK {
		f := &davOpen{d: d, path: p, resp: resp, etag: resp.Header.Get("Etag")}
		return f, resp.Body, nil
	}
	text, err := io.ReadAll(resp.Body)
	err = errors.Join(err, resp.Body.Close())
	if resp.StatusCode == http.StatusNotFound {
		return nil, nil, &fs.PathError{Op: "GET", Path: p, Err: fs.ErrNotExist}
	}
	return nil, nil, errors.Join(fmt.Errorf("GET %s: %s: %s", p, resp.Status, text), err)
}

// davOpen is an open file.
type davOpen struct {
	d    *webDAV
	path string
	resp *http.Response
	etag string // of the version that was opened, "" if it has none
	all  *bytes.Reader
}

// ReadAt asks for a range of the version that was opened. If that is gone by now,
// the answer to the first GET still has it.
func (f *davOpen) ReadAt(p []byte, off int64) (int, error) {
	size := f.resp.ContentLength
	if f.etag == "" || f.all != nil {
		return f.readHeld(p, off)
	}
	if off >= size {
		return 0, io.EOF
	}
	n := min(int64(len(p)), size-off)
	if n == 0 {
		return 0, nil
	}
	resp, err := f.d.send(http.MethodGet, f.path, "", "Range", fmt.Sprintf("bytes=%d-%d", off, off+n-1), "If-Match", f.etag)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	switch {
	case resp.StatusCode == http.StatusPreconditionFailed:
		return f.readHeld(p, off)
	case resp.StatusCode != http.StatusPartialContent || resp.ContentLength != n:
		return 0, fmt.Errorf("GET %s: %s of %d bytes, want %d", f.path, resp.Status, resp.ContentLength, n)
	}
	m, err := io.ReadFull(resp.Body, p[:n])
	if err == nil && m < len(p) {
		err = io.EOF
	}
	return m, err
}

func (f *davOpen) readHeld(p []byte, off int64) (int, error) {
	if f.all == nil {
		b, err := io.ReadAll(f.resp.Body)
		if err != nil {
			return 0, err
		}
		f.all = bytes.NewReader(b)
	}
	return f.all.ReadAt(p, off)
}

func (d *webDAV) Change(p string) []string {
	fresh := path.Join(path.Dir(p), "new")
	refused := []struct {
		method, path string
		status       int
	}{
		{http.MethodPut, p, http.StatusForbidden},
		{http.MethodPut, fresh, http.StatusForbidden},
		{http.MethodDelete, p, http.StatusForbidden},
		{http.MethodDelete, "43.2", http.StatusForbidden},
		{"MKCOL", fresh, http.StatusForbidden},
		{"COPY", p, http.StatusForbidden},
		{"MOVE", p, http.StatusForbidden},
		{"PROPPATCH", p, http.StatusForbidden},
		{"LOCK", p, http.StatusMethodNotAllowed},
		{"UNLOCK", p, http.StatusMethodNotAllowed},
		{http.MethodPost, p, http.StatusMethodNotAllowed},
		{http.MethodPatch, p, http.StatusMethodNotAllowed},
	}
	var worked []string
	for _, try := range refused {
		resp, err := d.send(try.method, try.path, "body", "Destination", d.url(fresh))
		if err == nil {
			err = resp.Body.Close()
		}
		if err != nil || resp.StatusCode != try.status {
			worked = append(worked, try.method+" "+try.path)
		}
	}
	return worked
}
