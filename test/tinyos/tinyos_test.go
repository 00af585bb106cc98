package tinyos_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cosafs/test/need"
	"cosafs/test/tinyos"
)

func TestSameDebsSameRepository(t *testing.T) {
	need.Tool(t, "dpkg-deb", "createrepo_c", "git", "apt-get")
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
