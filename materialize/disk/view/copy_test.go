package view_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"testing"
	"testing/iotest"

	"cosafs/materialize/disk/view"
)

func TestBlocks(t *testing.T) {
	for _, c := range []struct {
		name    string
		extents []view.Extent
		want    int64
	}{
		{"nothing", nil, 0},
		{"one byte", []view.Extent{{Start: 5000, End: 5001}}, 8},
		{"over a border", []view.Extent{{Start: 4095, End: 4097}}, 16},
		{"two in one block", []view.Extent{{Start: 1, End: 2}, {Start: 4, End: 5}}, 8},
		{"all", []view.Extent{{Start: 0, End: 1 << 20}}, 2048},
	} {
		if got := view.Blocks(disk{1 << 20, c.extents}); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// spans notes what is written.
type spans struct{ written []view.Extent }

func (s *spans) WriteAt(p []byte, off int64) (int, error) {
	s.written = append(s.written, view.Extent{Start: off, End: off + int64(len(p))})
	return len(p), nil
}

func TestCopyLeavesHoles(t *testing.T) {
	d := disk{8 << 40, []view.Extent{{Start: 1, End: 2}, {Start: 4 << 40, End: 4<<40 + 3<<20}}}
	var s spans
	if err := view.Copy(t.Context(), &s, d); err != nil {
		t.Fatal(err)
	}
	for _, w := range s.written {
		if e, ok := d.Next(w.Start); !ok || e.Start != w.Start || e.End < w.End {
			t.Errorf("%v was written, data is at %v", w, e)
		}
	}
	if last := s.written[len(s.written)-1].End; last != 4<<40+3<<20 {
		t.Errorf("the last byte written is %d", last)
	}
}

// Both end with the reason for which the ctx did, and pass the disk's errors on.
func TestCopyAndReaderEnd(t *testing.T) {
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	d := disk{1 << 20, []view.Extent{{Start: 0, End: 1 << 20}}}
	r := view.Reader(ctx, d)
	if _, err := r.Read(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	cancel(why)
	if _, err := r.Read(make([]byte, 10)); !errors.Is(err, why) {
		t.Errorf("Reader: %v, want the cause", err)
	}
	if err := view.Copy(ctx, &spans{}, d); !errors.Is(err, why) {
		t.Errorf("Copy: %v, want the cause", err)
	}
	bad := failing{d, fs.ErrPermission}
	if err := view.Copy(t.Context(), &spans{}, bad); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("Copy of a disk that fails: %v", err)
	}
	if _, err := io.ReadAll(view.Reader(t.Context(), bad)); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("Reader of a disk that fails: %v", err)
	}
}

// A hole costs no read: this disk can only be read where it has data.
func TestReaderSkipsHoles(t *testing.T) {
	r := view.Reader(t.Context(), failing{disk{1 << 20, []view.Extent{{Start: 1000, End: 2000}}}, fs.ErrPermission})
	if n, err := io.CopyN(io.Discard, r, 1000); err != nil {
		t.Errorf("%d bytes of a hole, then %v", n, err)
	}
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("data: %v", err)
	}
}

func TestReader(t *testing.T) {
	d := disk{5000, []view.Extent{{Start: 10, End: 20}, {Start: 4000, End: 4999}}}
	want := make([]byte, 5000)
	if _, err := d.ReadAt(want, 0); err != nil {
		t.Fatal(err)
	}
	if err := iotest.TestReader(view.Reader(t.Context(), d), want); err != nil {
		t.Error(err)
	}
}
