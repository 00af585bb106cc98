package index_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cosafs/index"
)

// sampleFiles gives the JSON files of COSAFS_SAMPLES: real metadata, which is
// not part of this repository.
func sampleFiles(t *testing.T) map[string][]byte {
	t.Helper()
	dir := os.Getenv("COSAFS_SAMPLES")
	if dir == "" {
		t.Skip("COSAFS_SAMPLES names no directory with real metadata")
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no samples in %s: %v", dir, err)
	}
	files := make(map[string][]byte)
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(path)] = data
	}
	return files
}

func TestSamplesByteForByte(t *testing.T) {
	for name, data := range sampleFiles(t) {
		same(t, string(data), string(parseMeta(t, data).Bytes()))
		if strings.Contains(name, "builds") {
			same(t, string(data), string(parseBuilds(t, data).Bytes()))
		}
	}
}

// cosa's own documents are laid out by Python, so that a change there and back
// must give the same bytes, but for the newline that an editor put at the end.
func TestSamplesAreLaidOutAsOurs(t *testing.T) {
	for name, data := range sampleFiles(t) {
		if !strings.HasPrefix(name, "cosa-fixture-") && name != "cosa-builds.json" {
			continue
		}
		m := parseMeta(t, data)
		m.SetStamp(1)
		m.Delete("coreos-assembler.meta-stamp")
		same(t, strings.TrimSuffix(string(data), "\n"), string(m.Bytes()))
	}
}

func TestSamplesMeanWhatTheySay(t *testing.T) {
	for name, data := range sampleFiles(t) {
		if !strings.HasSuffix(name, "-meta.json") {
			continue
		}
		m := parseMeta(t, data)
		if m.BuildID() == "" || len(m.Images()) == 0 {
			t.Errorf("%s: build %q, %d images", name, m.BuildID(), len(m.Images()))
		}
		for _, im := range m.Images() {
			if _, err := im.File(); err != nil || len(im.SHA256) != 64 {
				t.Errorf("%s: %v, sha256 %q", name, err, im.SHA256)
			}
		}
		if strings.HasPrefix(name, "cosa-") {
			checkSampleNames(t, m)
			if err := m.Validate(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// checkSampleNames checks that the files are called as we would tell them apart.
func checkSampleNames(t *testing.T, m *index.Meta) {
	t.Helper()
	for _, im := range m.Images() {
		kind, _, ok := index.ParseFileName(im.Path, m.Name(), m.BuildID(), m.Arch())
		if !ok || kind != im.Kind {
			t.Errorf("%s is of kind %s, not %q", im.Path, im.Kind, kind)
		}
	}
}
