package page_test

import (
	"context"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"cosafs/materialize"
	"cosafs/vfs"
)

// now is when the tests look.
var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// library is a vfs.Library of fixed facts in every state.
type library struct {
	snap  *vfs.Snapshot
	could []vfs.Entry // not listed
	jobs  []materialize.JobInfo
	plan  string
}

var _ vfs.Library = (*library)(nil)

func (l *library) Snapshot() *vfs.Snapshot  { return l.snap }
func (l *library) Changed() <-chan struct{} { return nil }

func (l *library) Resolve(_ context.Context, build, arch, name string) (vfs.Entry, error) {
	all := slices.Clone(l.could)
	for _, b := range l.snap.Builds {
		for _, a := range b.Arches {
			files, err := a.Files()
			if err != nil {
				return vfs.Entry{}, err
			}
			all = append(all, files...)
		}
	}
	for _, e := range all {
		if e.Build == build && e.Arch == arch && (e.Name == name || e.Kind+filepath.Ext(e.Name) == name) {
			return e, nil
		}
	}
	return vfs.Entry{}, fs.ErrNotExist
}

func (l *library) Refresh(_ context.Context, e vfs.Entry) (vfs.Entry, error) { return e, nil }

func (l *library) Buildable(_ context.Context, build, arch string) []vfs.Entry {
	return slices.DeleteFunc(slices.Clone(l.could), func(e vfs.Entry) bool { return e.Build != build || e.Arch != arch })
}

func (l *library) Progress(vfs.Entry) (float64, bool) { return 0, false }

func (l *library) Open(context.Context, vfs.Entry) (vfs.Blob, error) { return nil, fs.ErrNotExist }

func (l *library) Status() []byte                         { return []byte("status\n") }
func (l *library) Jobs() []materialize.JobInfo            { return l.jobs }
func (l *library) JobFile(string, string) ([]byte, error) { return []byte(l.plan), nil }
