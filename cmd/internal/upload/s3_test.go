package upload_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cosafs/backend"
	"cosafs/backend/s3store"
	"cosafs/cmd/internal/upload"
	"cosafs/index"
	"cosafs/test/s3server"
)

// openS3 opens a prefix of a bucket for those who know the secret.
func openS3(t *testing.T, endpoint, bucket, prefix string) backend.Store {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", s3server.Access)
	t.Setenv("AWS_SECRET_ACCESS_KEY", s3server.Secret)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	s, err := s3store.Open(t.Context(), s3store.Config{Bucket: bucket, Prefix: prefix, Endpoint: endpoint, Region: s3server.Region})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // only connections
	return backend.Retry(s, backend.Policy{})
}

// A plain HTTP client sees what cosa's buildupload would have stored.
func TestHeadersAndKeysOfCosa(t *testing.T) {
	server := s3server.Start(t)
	s := openS3(t, server.Endpoint, s3server.Public, "prod/builds")
	w := newWorkdir(t)
	w.build("1", arch, "ostree", "qemu", "live-iso")
	for _, f := range []string{"config.tar.gz", "disk.raw.xz", "root.tar"} {
		w.write("builds/1/x86_64/"+f, []byte(f))
	}
	w.write("builds/1/release.json", []byte("{}"))
	w.upload(w.to(s))
	for key, want := range map[string][2]string{
		"builds.json":                                 {"application/json", "max-age=300"},
		"1/release.json":                              {"application/json", "max-age=300"},
		"1/x86_64/meta.json":                          {"application/json", "max-age=300"},
		"1/x86_64/commitmeta.json":                    {"application/json", "max-age=31536000"},
		"1/x86_64/config.tar.gz":                      {"application/gzip", "max-age=31536000"},
		"1/x86_64/disk.raw.xz":                        {"application/x-xz", "max-age=31536000"},
		"1/x86_64/root.tar":                           {"application/x-tar", "max-age=31536000"},
		"1/x86_64/" + fileName("live-iso", "1", arch): {"application/x-iso9660-image", "max-age=31536000"},
		"1/x86_64/" + fileName("qemu", "1", arch):     {"application/octet-stream", "max-age=31536000"},
		"1/x86_64/" + fileName("ostree", "1", arch):   {"application/x-tar", "max-age=31536000"},
	} {
		body, header := get(t, server.Endpoint+"/"+s3server.Public+"/prod/builds/"+key)
		if got := [2]string{header.Get("Content-Type"), header.Get("Cache-Control")}; got != want {
			t.Errorf("%s has %q; want %q", key, got, want)
		}
		if key != "builds.json" && body != string(w.read("builds/"+key)) {
			t.Errorf("%s has other bytes than here", key)
		}
	}
	r := w.upload(w.to(s))
	if len(r.Sent) != 0 {
		t.Errorf("the second upload sent %q", sentKeys(r))
	}
	sound(t, s)
}

func get(t *testing.T, url string) (string, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // read only
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s, %v", url, resp.Status, err)
	}
	return string(body), resp.Header
}

// Fifty processes publish into one prefix at once, and ten of them are killed.
const (
	uploaders = 50
	killed    = 10
)

func TestFiftyUploaders(t *testing.T) {
	server := s3server.Start(t)
	s := openS3(t, server.Endpoint, s3server.Private, "builds")
	ids := make([]string, uploaders) // newest first
	for i := range ids {
		ids[i] = fmt.Sprintf("41.%02d", uploaders-i)
	}
	children := make([]*child, uploaders)
	for i, id := range ids {
		w := newWorkdir(t)
		w.build(id, arch, "ostree", "qemu")
		w.editList(func(l *index.Builds) error { return relist(l, ids) })
		children[i] = startChild(t, server.Endpoint, w.dir, id)
	}
	for i, c := range shuffled(children) {
		if i < killed {
			c.killWithin(time.Duration(rand.N(600)) * time.Millisecond)
		}
	}
	finished := 0
	for _, c := range children {
		switch done := c.wait(); {
		case done:
			finished++
			if !listOf(t, s).Has(index.BuildID(c.id)) {
				t.Errorf("%s finished and is not listed", c.id)
			}
		case !c.victim:
			t.Errorf("%s did not finish, though nobody killed it", c.id)
		}
	}
	t.Logf("%d finished", finished)
	checkOrder(t, listOf(t, s), ids)
	sound(t, s)
	for _, c := range children { // the killed ones try again
		if !c.done {
			w := workdir{t, c.dir}
			o := w.to(s)
			o.Build = c.id
			w.upload(o)
		}
	}
	list := listOf(t, s)
	if got := len(list.Entries()); got != uploaders {
		t.Errorf("%d builds are listed at last; want %d", got, uploaders)
	}
	checkOrder(t, list, ids)
	sound(t, s)
}

// relist gives a list all builds, newest first: machines know one another's.
func relist(l *index.Builds, ids []string) error {
	l.Remove(index.BuildID(ids[0]))
	for _, e := range l.Entries() {
		l.Remove(e.ID)
	}
	for _, id := range slices.Backward(ids) {
		if err := l.Insert(index.BuildID(id), arch); err != nil {
			return err
		}
	}
	return nil
}

// checkOrder wants builds in the order that all machines know.
func checkOrder(t *testing.T, list *index.Builds, ids []string) {
	t.Helper()
	last := -1
	for _, e := range list.Entries() {
		at := slices.Index(ids, string(e.ID))
		if at <= last {
			t.Errorf("%s is out of order", e.ID)
		}
		last = at
	}
}

func shuffled(c []*child) []*child {
	c = slices.Clone(c)
	rand.Shuffle(len(c), func(i, j int) { c[i], c[j] = c[j], c[i] })
	return c
}

// A child is a process that uploads one build.
type child struct {
	id, dir string
	cmd     *exec.Cmd
	out     *bufio.Reader
	timer   sync.WaitGroup
	victim  bool // is to be killed
	done    bool // it said that its upload succeeded
}

func startChild(t *testing.T, endpoint, dir, id string) *child {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestUploader$")
	cmd.Env = append(os.Environ(), "UPLOAD_DIR="+dir, "UPLOAD_BUILD="+id, "UPLOAD_ENDPOINT="+endpoint)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	c := &child{id: id, dir: dir, cmd: cmd, out: bufio.NewReader(out)}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // it may have ended
	return c
}

// killWithin kills the process so long after it began to upload.
func (c *child) killWithin(d time.Duration) {
	c.victim = true
	c.timer.Go(func() {
		if line, err := c.out.ReadString('\n'); err != nil || line != "uploading\n" {
			return
		}
		<-time.After(d)
		_ = c.cmd.Process.Kill() // it may have ended
	})
}

// wait says whether the process said that its upload succeeded.
func (c *child) wait() bool {
	c.timer.Wait()
	rest, _ := io.ReadAll(c.out) // cut off where it was killed
	_ = c.cmd.Wait()             // says that it was killed
	c.done = strings.Contains(string(rest), "finished\n")
	return c.done
}

// TestUploader is one of the fifty.
func TestUploader(t *testing.T) {
	dir := os.Getenv("UPLOAD_DIR")
	if dir == "" {
		t.Skip("only runs as another test's child")
	}
	s := openS3(t, os.Getenv("UPLOAD_ENDPOINT"), s3server.Private, "builds")
	fmt.Println("uploading")
	o := upload.Options{Workdir: dir, Dest: s, URL: "s3://private/builds", Build: os.Getenv("UPLOAD_BUILD")}
	if _, err := upload.Run(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, filepath.Base(dir), err)
		t.Fatal(err)
	}
	fmt.Println("finished")
}
