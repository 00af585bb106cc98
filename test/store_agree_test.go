package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cosafs/index"
	"cosafs/test/need"
	"cosafs/test/s3server"
	"cosafs/test/storegen"
)

// Two stores with the same files, two mounts and two other programs that copy
// the bucket agree on every byte.
func TestStoresAgree(t *testing.T) {
	t.Parallel()
	needStores(t)
	need.Tool(t, "aws", "rclone")
	r := newRemote(t, storegen.Config{Builds: 5, Arches: []index.Arch{"x86_64", "aarch64"}, Contents: 5, Size: 300_000})
	w := startWeb(t, filepath.Dir(r.Dir))
	want := sums(t, r.Dir)
	recorded := map[string]string{} // what a store that can't list is known to have
	for name, sum := range want {
		if filepath.Base(name) != "commitmeta.json" {
			recorded[name] = sum
		}
	}
	for _, c := range []struct {
		name    string
		options []string
		want    map[string]string
	}{
		{"s3", []string{"--store", r.url()}, want},
		{"https", []string{"--store", w.https + "/builds", "--ca", w.ca}, recorded},
		{"http", []string{"--store", w.http + "/builds"}, recorded},
		{"s3, then https", []string{"--store", r.url(), "--store", w.https + "/builds", "--ca", w.ca}, want},
		{"https, then s3", []string{"--store", w.https + "/builds", "--store", r.url(), "--ca", w.ca}, recorded},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newStoreEnv(t, append(c.options, "--refresh", "1h")...)
			e.serve()
			e.shows(5, r.proxy)
			got := sums(t, e.mnt)
			for name := range got {
				if filepath.Base(name) == "commitmeta.json" && c.want[name] == "" {
					c.want[name] = want[name] // known or not: its bytes are the store's
				}
			}
			sameFiles(t, "the mount", got, c.want)
			if link, err := os.Readlink(e.path("latest")); err != nil || link != string(r.IDs[4]) {
				t.Errorf("latest is %q, %v; want %s", link, err, r.IDs[4])
			}
		})
	}
	e := newStoreEnv(t)
	e.environ = append(e.environ, "AWS_ENDPOINT_URL="+r.server.Endpoint)
	t.Run("aws s3 sync", func(t *testing.T) {
		to := filepath.Join(t.TempDir(), "copy")
		e.at(t).sh("aws", "s3", "sync", "--only-show-errors", "s3://"+s3server.Private+"/"+prefix, to)
		sameFiles(t, "aws s3 sync", sums(t, to), want)
	})
	for name, rclone := range map[string]string{"rclone of Debian": "rclone", "rclone 1.76": s3server.Rclone(t)} {
		t.Run(name, func(t *testing.T) {
			to := filepath.Join(t.TempDir(), "copy")
			e.at(t).sh(rclone, "copy", "--config", os.DevNull, rcloneRemote(r.server.Endpoint)+s3server.Private+"/"+prefix, to)
			sameFiles(t, "rclone copy", sums(t, to), want)
		})
	}
}

// rcloneRemote names a server of test/s3server to rclone.
func rcloneRemote(endpoint string) string {
	return strings.Join([]string{":s3,provider=Other", "access_key_id=" + s3server.Access, "secret_access_key=" + s3server.Secret,
		"endpoint='" + endpoint + "'", "force_path_style=true:"}, ",")
}
