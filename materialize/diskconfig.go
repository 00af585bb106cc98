package materialize

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
)

// configRecord is the file in the directory of a base disk that tells of which commit
// and with which configuration it was written: the key of a disk, which is hashed of
// them, can't be computed otherwise once the commit is pruned.
const configRecord = "config.json"

// A diskConfig is that record. Bytes are kept as they are: they are part of the key.
type diskConfig struct {
	Commit    string `json:"commit"`
	Image     []byte `json:"image"`     // image.json
	Platforms []byte `json:"platforms"` // platforms.json
}

// keepConfig writes the record into a directory that becomes the disk's.
func keepConfig(dir string, req DiskRequest) error {
	return writeJSON(filepath.Join(dir, configRecord), diskConfig{req.Commit, req.ImageJSON, req.PlatformsJSON})
}

// keptConfig finds the configuration that disks of the commit were written with, the
// newest one's if there are several.
func (m *Maker) keptConfig(commit string) (imageConfig, bool) {
	records, err := filepath.Glob(filepath.Join(m.StateDir, "base", "*", configRecord))
	if err != nil {
		return imageConfig{}, false // the pattern is bad: some directory's name is odd
	}
	slices.SortFunc(records, func(a, b string) int { return -modTime(a).Compare(modTime(b)) })
	for _, record := range records {
		data, err := os.ReadFile(record)
		if err != nil {
			continue // it is being cleared away
		}
		if c, ok := parseDiskConfig(data); ok && c.Commit == commit {
			return imageConfig{c.Image, c.Platforms}, true
		}
	}
	return imageConfig{}, false
}

// parseDiskConfig reads a record; ok is false for what is none.
func parseDiskConfig(data []byte) (c diskConfig, ok bool) {
	err := json.Unmarshal(data, &c)
	return c, err == nil && c.Commit != "" && json.Valid(c.Image) && c.Platforms != nil
}

// requestOf gives what decides the base disk of a build for the kind. It needs the
// commit, or what its disk left.
func (m *Maker) requestOf(ctx context.Context, b Build, kind string) (DiskRequest, error) {
	image, err := m.imageOf(ctx, b)
	return m.diskRequest(b, kind, image), err
}

// cached says whether the base disk is in the cache.
func (m *Maker) cached(req DiskRequest) bool {
	_, err := readBase(m.baseDir(m.baseKey(req)))
	return err == nil
}

// haveSource brings the commit in, unless the disk that was made of it is cached.
func (m *Maker) haveSource(ctx context.Context, b Build, kind string, task *Task) error {
	if req, err := m.requestOf(ctx, b, kind); err == nil && m.cached(req) {
		return nil
	}
	return m.haveCommit(ctx, b, task)
}
