package compose

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"cosafs/materialize"
	"cosafs/materialize/disk/view"
)

// repoConfig is the config of an exported repository: what `ostree init
// --mode=archive` writes, with cosa's level of compression.
const repoConfig = "[core]\nrepo_version=1\nmode=archive-z2\n\n[archive]\nzlib-level=" + zlibLevel + "\n"

// repoDirs are the directories of a repository, those that hold something apart.
var repoDirs = []string{"extensions", "objects", "refs/heads", "refs/mirrors", "refs/remotes", "state", "tmp"}

const (
	tarBlock = 512     // bytes: what headers are, and members are padded to (tar(5))
	maxOctal = 8 << 30 // bytes: a size from which on an octal field of ustar can't hold it
)

// A member is one of the artifact: a directory, text, or an object of the repository.
// It shows what the tar has of it: header, contents, padding. It is an [view.Image].
type member struct {
	repo string
	name string // in the tar; a directory's ends in a slash
	text []byte // contents; nil = those of the object, or none
	size int64  // of the contents, in bytes
	head int64  // size of the header, in bytes
}

var _ view.Image = (*member)(nil)

// repoTar shows the artifact of a commit: a tar of an archive-mode repository that
// holds nothing but the commit under each of the refs, in the order of names. It is
// computed of the objects of repo. One that isn't there is fs.ErrNotExist.
func repoTar(ctx context.Context, repo, commit string, refs []string) (view.Image, error) {
	members, err := repoMembers(ctx, repo, commit, refs)
	if err != nil {
		return nil, err
	}
	parts := make([]view.Image, 0, len(members)+1)
	for i := range members {
		m := &members[i]
		header, err := m.header()
		if err != nil {
			return nil, fmt.Errorf("tar %s: %w", m.name, err)
		}
		m.head = int64(len(header))
		parts = append(parts, m)
	}
	end := view.Bytes(make([]byte, 2*tarBlock)) // two empty blocks end an archive
	return view.Concat(append(parts, end)...), nil
}

// repoMembers lists the members in order.
func repoMembers(ctx context.Context, repo, commit string, refs []string) ([]member, error) {
	objects, err := commitObjects(ctx, repo, commit)
	if err != nil {
		return nil, err
	}
	list := memberList{repo: repo, dirs: map[string]bool{}}
	for _, dir := range repoDirs {
		list.addDir(dir)
	}
	list.addText("config", repoConfig)
	for _, ref := range refs {
		if !fs.ValidPath(ref) {
			return nil, fmt.Errorf("ref %q: %w", ref, fs.ErrInvalid)
		}
		list.addText("refs/heads/"+ref, commit+"\n")
	}
	for name, size := range objects {
		list.add(member{name: name, size: size})
	}
	slices.SortFunc(list.members, func(a, b member) int { return compareNames(a.name, b.name) })
	return list.members, nil
}

// A memberList gathers members, in any order.
type memberList struct {
	repo    string
	members []member
	dirs    map[string]bool // those that it has
}

// add adds a file, and the directories that lead to it.
func (l *memberList) add(m member) {
	l.addDir(path.Dir(m.name))
	m.repo, m.name = l.repo, "./"+m.name
	l.members = append(l.members, m)
}

func (l *memberList) addText(name, text string) {
	l.add(member{name: name, text: []byte(text), size: int64(len(text))})
}

func (l *memberList) addDir(dir string) {
	if l.dirs[dir] {
		return
	}
	l.dirs[dir] = true
	if dir == "." {
		l.members = append(l.members, member{name: "./"})
		return
	}
	l.addDir(path.Dir(dir))
	l.members = append(l.members, member{name: "./" + dir + "/"})
}

// compareNames is the order in which a tree is walked: by one component after the
// other.
func compareNames(a, b string) int {
	for i := range min(len(a), len(b)) {
		switch {
		case a[i] == b[i]:
		case a[i] == '/':
			return -1
		case b[i] == '/':
			return 1
		default:
			return cmp.Compare(a[i], b[i])
		}
	}
	return cmp.Compare(len(a), len(b))
}

// header gives the member's header: root's, without a time.
func (m *member) header() ([]byte, error) {
	h := &tar.Header{Name: m.name, Size: m.size, Typeflag: tar.TypeReg, Mode: 0o644, ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}
	if strings.HasSuffix(m.name, "/") {
		h.Typeflag, h.Mode = tar.TypeDir, 0o755
	}
	if h.Size >= maxOctal {
		h.Format = tar.FormatPAX
	}
	var b bytes.Buffer
	err := tar.NewWriter(&b).WriteHeader(h)
	return b.Bytes(), err
}

// Size implements [view.Image].
func (m *member) Size() int64 { return m.head + (m.size+tarBlock-1)/tarBlock*tarBlock }

// Next implements [view.Image]. All of it is data.
func (m *member) Next(off int64) (view.Extent, bool) {
	return view.Extent{Start: off, End: m.Size()}, off < m.Size()
}

// ReadAt implements [view.Image].
func (m *member) ReadAt(p []byte, off int64) (n int, err error) {
	if off < m.head {
		header, err := m.header()
		if err != nil {
			return 0, err
		}
		n = copy(p, header[off:])
	}
	if at := off + int64(n) - m.head; n < len(p) && at < m.size {
		part := p[n:min(int64(len(p)), int64(n)+m.size-at)]
		if err := m.readContents(part, at); err != nil {
			return n, err
		}
		n += len(part)
	}
	padding := p[n:max(int64(n), min(int64(len(p)), m.Size()-off))]
	clear(padding)
	if n += len(padding); n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// readContents fills p. An object that became another one is
// [materialize.ErrCorrupt].
func (m *member) readContents(p []byte, off int64) (err error) {
	if m.text != nil {
		copy(p, m.text[off:])
		return nil
	}
	f, err := os.Open(filepath.Join(m.repo, m.name))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	st, err := f.Stat()
	if err == nil && st.Size() != m.size {
		err = fmt.Errorf("%s has %d bytes, it had %d: %w", f.Name(), st.Size(), m.size, materialize.ErrCorrupt)
	}
	if err == nil {
		_, err = io.ReadFull(io.NewSectionReader(f, off, int64(len(p))), p)
	}
	return err
}
