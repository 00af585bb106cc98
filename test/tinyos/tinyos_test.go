package tinyos_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cosafs/test/tinyos"
)

// need skips where a tool is missing, unless it must be there.
func need(t *testing.T, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err == nil {
			continue
		}
		if slices.Contains(strings.Split(os.Getenv("COSAFS_TEST_REQUIRE"), ","), tool) {
			t.Fatalf("%s is missing", tool)
		}
		t.Skipf("%s is missing", tool)
	}
}

func TestSameDebsSameRepository(t *testing.T) {
	need(t, "dpkg-deb", "createrepo_c", "git", "apt-get")
	var repomd [2][]byte
	for i := range repomd {
		dir := t.TempDir()
		var log bytes.Buffer
		if err := tinyos.Make(t.Context(), tinyos.Config{Dir: dir}, &log); err != nil {
			t.Fatal(err)
		}
		if i > 0 && strings.Contains(log.String(), "downloading") {
			t.Errorf("a second run downloads: %s", log.String())
		}
		b, err := os.ReadFile(filepath.Join(dir, "repo/repodata/repomd.xml"))
		if err != nil {
			t.Fatal(err)
		}
		repomd[i] = b
	}
	if !bytes.Equal(repomd[0], repomd[1]) {
		t.Errorf("repomd.xml differs:\n%s\n%s", repomd[0], repomd[1])
	}
}
