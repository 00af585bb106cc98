package compose

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"cosafs/materialize"
)

// readResult fills a commit from the composejson and from the commit object.
func readResult(repo string, data []byte) (materialize.Commit, error) {
	var said struct {
		Ref       string    `json:"ref"`
		Commit    string    `json:"ostree-commit"`
		Content   string    `json:"ostree-content-checksum"`
		Version   string    `json:"ostree-version"`
		Timestamp time.Time `json:"ostree-timestamp"`
		InputHash string    `json:"rpm-ostree-inputhash"`
	}
	if err := json.Unmarshal(data, &said); err != nil {
		return materialize.Commit{}, fmt.Errorf("read rpm-ostree's result: %w", err)
	}
	object, err := ReadCommit(repo, said.Commit)
	if err != nil {
		return materialize.Commit{}, err
	}
	c := materialize.Commit{
		Checksum: said.Commit, ContentChecksum: said.Content, Version: said.Version, Ref: said.Ref,
		InputHash: said.InputHash, Timestamp: said.Timestamp, Object: object.Raw, Stats: stats(data),
	}
	if c.Packages, err = object.Packages(); err != nil {
		return materialize.Commit{}, err
	}
	c.CommitMeta, err = object.CommitMeta()
	return c, err
}

// stats gives the counters of a composejson: its numbers.
func stats(data []byte) map[string]int64 {
	var all map[string]any
	if json.Unmarshal(data, &all) != nil { // readResult reported it
		return nil
	}
	out := map[string]int64{}
	for name, v := range all {
		if n, ok := v.(float64); ok && strings.HasPrefix(name, "ostree-") {
			out[name] = int64(n)
		}
	}
	return out
}

// stripDigests takes the packages' checksums out of a lockfile, as cosa does:
// a build made again from it may get packages that were signed again since.
func stripDigests(lock []byte) ([]byte, error) {
	var doc map[string]any
	if err := json.Unmarshal(lock, &doc); err != nil {
		return nil, fmt.Errorf("read rpm-ostree's lockfile: %w", err)
	}
	if packages, ok := doc["packages"].(map[string]any); ok {
		for _, p := range packages {
			if entry, ok := p.(map[string]any); ok {
				delete(entry, "digest")
			}
		}
	}
	out, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write lockfile: %w", err)
	}
	return append(out, '\n'), nil
}
