package upload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"cosafs/cmd/internal/cas"
	"cosafs/index"
)

// sendList puts the build into the store's builds.json.
func (u *uploader) sendList(ctx context.Context) error {
	var sent []byte
	wrote, err := u.listDocument().Update(ctx, func(_ context.Context, old []byte) (data []byte, err error) {
		sent, err = u.mergeList(old)
		return sent, err
	})
	if err != nil {
		return err
	}
	u.sentDocument(u.listDocument(), len(sent), wrote)
	return u.noteCleanup(sent)
}

func (u *uploader) listDocument() cas.Document {
	return cas.Document{Store: u.Dest, Key: listFile, CacheControl: mutable}
}

// mergeList gives the store's list, whose bytes are old, with the build.
func (u *uploader) mergeList(old []byte) ([]byte, error) {
	list, err := parseList(u.Options, old)
	if err != nil {
		return nil, err
	}
	if err := (&remote{list: list}).alive(u.src.id, u.Force); err != nil {
		return nil, err
	}
	added := false
	for _, a := range u.src.arches {
		if slices.Contains(list.Arches(u.src.id), a.arch) {
			continue
		}
		added = true
		if err := list.InsertLike(u.src.id, a.arch, u.src.list); err != nil {
			return nil, fmt.Errorf("%s of the store: %w", listFile, err)
		}
	}
	if added {
		list.Bump(u.Now())
	}
	return list.Bytes(), nil
}

// noteCleanup says which artifacts the store's garbage collection has marked as
// deleted: readers will not look for them, and its next run deletes them.
func (u *uploader) noteCleanup(list []byte) error {
	b, err := index.ParseBuilds(list)
	if err != nil {
		return err
	}
	e, _ := b.Entry(u.src.id)
	for _, it := range u.items {
		if it.image != nil && it.send && !e.Cleanup.Keeps(it.image.Kind) {
			u.note(fmt.Sprintf("garbage collection has marked the build's %s as deleted: its next run deletes what was sent", it.image.Kind))
		}
	}
	return nil
}

// recordSource notes in tmp/ where the builds went, as cosa does: buildfetch
// refuses to overwrite a builds.json that differs from tmp/builds-source.json. If
// the list here has builds that the store's does not, that has to stay so, and
// the store's list is noted.
func (u *uploader) recordSource(ctx context.Context) error {
	data, err := readDocument(ctx, u.Dest, listFile)
	if err != nil {
		return err
	}
	list, err := parseList(u.Options, data)
	if err != nil {
		return err
	}
	if contains(list, u.src.list) {
		data = u.src.bytes
	}
	tmp := filepath.Join(u.Workdir, "tmp")
	if err := os.MkdirAll(tmp, 0o755); err != nil {
		return err
	}
	return errors.Join(
		replaceFile(filepath.Join(tmp, "builds-source.json"), data),
		replaceFile(filepath.Join(tmp, "builds-source.txt"), []byte(strings.TrimRight(u.URL, "/")+"\n")),
	)
}

// contains says whether all builds of sub are in list, with their architectures.
func contains(list, sub *index.Builds) bool {
	for _, e := range sub.Entries() {
		for _, arch := range e.Arches {
			if !slices.Contains(list.Arches(e.ID), arch) {
				return false
			}
		}
	}
	return true
}

// replaceFile writes a file beside and renames it, so that nobody reads half of it.
func replaceFile(name string, data []byte) error {
	if old, err := os.ReadFile(name); err == nil && bytes.Equal(old, data) {
		return nil
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // err says why it is there
	}
	return err
}

// preview says what a dry run leaves out.
func (u *uploader) preview(ctx context.Context) error {
	for _, a := range u.src.arches {
		if err := u.previewDocument(ctx, u.document(a), func(old []byte) ([]byte, error) { return u.mergeMeta(a, old) }); err != nil {
			return err
		}
	}
	u.report.Listed = u.dst.lists(u.src)
	if u.SkipBuildsJSON {
		return nil
	}
	return u.previewDocument(ctx, u.listDocument(), u.mergeList)
}

func (u *uploader) previewDocument(ctx context.Context, d cas.Document, merge func([]byte) ([]byte, error)) error {
	old, err := readDocument(ctx, u.Dest, d.Key)
	if err != nil {
		return err
	}
	data, err := merge(old)
	if err == nil {
		u.sentDocument(d, len(data), !bytes.Equal(old, data))
	}
	return err
}
