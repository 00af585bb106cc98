package fusefs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"golang.org/x/sys/unix"

	"cosafs/materialize"
	"cosafs/vfs"
)

func TestTranslate(t *testing.T) {
	failed := func(class materialize.Class, cause error) error { return materialize.Fail(class, "compose", "", cause) }
	for _, c := range []struct {
		err   error
		want  error
		known bool
	}{
		{vfs.ErrReadOnly, unix.EROFS, true},
		{vfs.ErrNotDir, unix.ENOTDIR, true},
		{vfs.ErrIsDir, unix.EISDIR, true},
		{vfs.ErrNotEmpty, unix.ENOTEMPTY, true},
		{vfs.ErrStale, unix.ESTALE, true},
		{vfs.ErrLoop, unix.ELOOP, true},
		{fs.ErrNotExist, unix.ENOENT, true},
		{fs.ErrExist, unix.EEXIST, true},
		{fs.ErrPermission, unix.EACCES, true},
		{fs.ErrInvalid, unix.EINVAL, true},
		{fs.ErrClosed, unix.EBADF, true},
		{errors.ErrUnsupported, unix.EOPNOTSUPP, true},
		{context.Canceled, unix.EINTR, true},
		{context.DeadlineExceeded, unix.ETIMEDOUT, true},
		{materialize.ErrCancelled, unix.ECANCELED, true},
		{materialize.ErrAbandoned, unix.ECANCELED, true},
		{materialize.ErrNotMakeable, unix.EOPNOTSUPP, true},
		{materialize.ErrCorrupt, unix.EIO, true},
		{unix.ENOSPC, unix.ENOSPC, true},
		{failed(materialize.ClassSpace, errors.New("full")), unix.ENOSPC, true},
		{failed(materialize.ClassTool, fs.ErrNotExist), unix.EIO, true},
		{failed(materialize.ClassConfig, errors.New("bad")), unix.EIO, true},
		{errors.New("anything else"), unix.EIO, false},
	} {
		wrapped := &fs.PathError{Op: "open", Path: "x", Err: fmt.Errorf("more: %w", c.err)}
		if got, known := translate(wrapped); !errors.Is(got, c.want) || known != c.known {
			t.Errorf("translate(%v) = %v, %v, want %v, %v", c.err, got, known, c.want, c.known)
		}
	}
}

func TestKillPending(t *testing.T) {
	for status, want := range map[string]bool{
		"Name:\tcat\nSigPnd:\t0000000000000100\nShdPnd:\t0\n":                true,
		"Name:\tcat\nSigPnd:\t0000000000000102\n":                            true,
		"Name:\tcat\nSigPnd:\t0000000000000002\nShdPnd:\t0000000000000100\n": false,
		"Name:\tcat\nSigPnd:\tnonsense\n":                                    false,
		"":                                                                   false,
	} {
		if got := killPending([]byte(status)); got != want {
			t.Errorf("killPending(%q) = %v, want %v", status, got, want)
		}
	}
}

func FuzzParseMount(f *testing.F) {
	f.Add(`36 35 98:0 /mnt1 /mnt\0402 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`)
	f.Add(`22 1 0:21 / /a\134b - fuse.cosafs cosafs ro`)
	f.Fuzz(func(t *testing.T, line string) {
		m, ok := parseMount(line)
		if ok && (m.point == "" || m.fsType == "") {
			t.Errorf("parseMount(%q) = %+v", line, m)
		}
	})
}

func TestParseMount(t *testing.T) {
	m, ok := parseMount(`36 35 0:52 / /mnt\0402\134x rw,noatime shared:7 master:1 - fuse.cosafs cosafs ro,user_id=0`)
	if want := (mount{0, 52, `/mnt 2\x`, fsType}); !ok || m != want {
		t.Errorf("parseMount = %+v, %v, want %+v", m, ok, want)
	}
}
