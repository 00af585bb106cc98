package test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cosafs/test/certstest"
	"cosafs/test/davclient"
	"cosafs/test/tinyos"
)

// Every client gets every byte from the program: of an image of 2 GiB, of one that was
// deleted and is made again, and of one that nobody knew of before.
func TestDAVClientsFetch(t *testing.T) {
	t.Parallel()
	needAll(t)
	e := newEnv(t)
	image := e.built()
	large := e.large()
	t.Run("recorded", func(t *testing.T) { e.within(t).fetchLarge(large) })
	t.Run("deleted", func(t *testing.T) { e.within(t).fetchLost(image) })
	t.Run("unknown", func(t *testing.T) { e.within(t).fetchForgotten(image) })
	t.Run("boot", func(t *testing.T) { e.within(t).bootFromURL(image) })
	t.Run("failed", func(t *testing.T) { e.within(t).fetchImpossible() })
	e.nothingLeft()
}

// within is the environment for a part of the test.
func (e *env) within(tb testing.TB) *env {
	tb.Helper()
	part := *e
	part.TB = tb
	return &part
}

// each runs one part a client.
func (e *env) each(clients []davclient.Client, part func(e *env, c davclient.Client)) {
	t, ok := e.TB.(*testing.T)
	if !ok {
		e.Fatalf("%T has no parts", e.TB)
	}
	for _, c := range clients {
		t.Run(c.Name, func(t *testing.T) {
			c.Need(t)
			part(e.within(t), c)
		})
	}
}

// fetch fetches an image; it must succeed. It gives the file.
func (e *env) fetch(c davclient.Client, d *door, im davImage) string {
	e.Helper()
	f := c.Start(e.TB, d.url+im.path)
	if err := f.Wait(); err != nil {
		e.Fatalf("%v\n%s", err, tail(filepath.Join(e.dir, "log")))
	}
	return f.File
}

// fetchLarge fetches what is there, whole; through rclone's mount, which is slow, in
// pieces.
func (e *env) fetchLarge(im davImage) {
	d := e.door()
	jobs := e.jobFolders()
	inPlace := map[string]string{ // a second copy on disk would take the most time
		"davfs2":       davclient.Davfs2 + fmt.Sprintf(`cmp "mnt/$FILE" %q`, im.file),
		"rclone-mount": davclient.RcloneMount + fmt.Sprintf(`for at in 0 1 682 1023 1024 2047; do cmp -i $((at<<20)) -n 1048576 "mnt/$FILE" %q; done`, im.file),
	}
	quick := slices.DeleteFunc(davclient.All(), func(c davclient.Client) bool { return c.Name == "aria2" }) // it takes half a minute
	e.each(quick, func(e *env, c davclient.Client) {
		if script, ok := inPlace[c.Name]; ok {
			c.Script = script
			e.fetch(c, d, im)
			return
		}
		identical(e.TB, e.fetch(c, d, im), im.file)
	})
	if n := e.jobFolders() - jobs; n != 0 {
		e.Errorf("reading what is there started %d jobs", n)
	}
}

// fetchLost fetches an image that is gone when a client looks at the listing, which
// has it all the same because the door was asked for that.
func (e *env) fetchLost(im davImage) {
	d := e.door("--list-buildable")
	sized := slices.DeleteFunc(davclient.All(), func(c davclient.Client) bool { return !c.Sized })
	e.each(sized, func(e *env, c davclient.Client) {
		e.loseFrom(d, im)
		jobs := e.jobFolders()
		im.fetched(e.TB, e.fetch(c, d, im))
		if n := e.jobFolders() - jobs; n != 1 {
			e.Errorf("%d jobs made it, want one", n)
		}
	})
}

// fetchForgotten fetches an image of which nobody knows even the size, by name.
// A client that is killed while it is made changes nothing for the next.
func (e *env) fetchForgotten(im davImage) {
	unsized := slices.DeleteFunc(davclient.All(), func(c davclient.Client) bool { return c.Sized })
	e.each(unsized, func(e *env, c davclient.Client) {
		e.forget(im)
		d := e.door()
		if n := e.headSize(d, im); n != -1 {
			e.Errorf("HEAD says %d bytes of a file that nobody made", n)
		}
		jobs := e.jobFolders()
		first := c.Start(e.TB, d.url+im.path)
		e.eventually("a job", time.Minute, func() bool { return closed(first.Ended()) || e.jobFolders() > jobs })
		first.Kill()
		im.fetched(e.TB, e.fetch(c, d, im))
		if n := e.jobFolders() - jobs; n != 1 {
			e.Errorf("%d jobs made it, want one", n)
		}
		e.shut(d)
	})
}

// loseFrom deletes an image behind a running server, and waits until that has noticed.
func (e *env) loseFrom(d *door, im davImage) {
	e.Helper()
	e.lose(im)
	e.eventually("HEAD tells the recorded size of what is gone", time.Minute, func() bool { return e.headSize(d, im) == im.size })
}

// headSize is the size that HEAD tells, -1 if it tells none.
func (e *env) headSize(d *door, im davImage) int64 {
	e.Helper()
	req, err := http.NewRequestWithContext(e.Context(), http.MethodHead, d.url+im.path, nil)
	if err != nil {
		e.Fatal(err)
	}
	insecure := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} // the test's own certificate
	defer insecure.CloseIdleConnections()
	resp, err := (&http.Client{Transport: insecure}).Do(req)
	if err != nil {
		e.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		e.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		return -1
	}
	return resp.ContentLength
}

// bootFromURL boots a virtual machine from the URL of an image that is gone, by
// https. The http driver's time limit for a request is 5 s where nobody says otherwise.
// With several requests at a time the driver of qemu 7.2 may stop for good, of
// whatever server: hence one for all by readahead, and convert's -m.
func (e *env) bootFromURL(im davImage) {
	needTools(e.TB, "ovmf")
	cert, key := certstest.NewCA(e.TB, "ca").Issue(e.TB, "server")
	d := e.door("--tls-cert", cert, "--tls-key", key)
	if !strings.HasPrefix(d.url, "https:") {
		e.Fatalf("with a certificate: %s", d.url)
	}
	e.loseFrom(d, im)
	node := fmt.Sprintf(`{"driver":"https","url":"%s","timeout":1800,"sslverify":false,"readahead":%d}`, d.url+im.path, (im.size+511)/512*512)
	out := filepath.Join(e.TempDir(), "out")
	if info := e.sh("qemu-img", "info", "json:"+node); !strings.Contains(info, fmt.Sprintf("(%d bytes)", im.size)) {
		e.Errorf("qemu-img info says: %s", info)
	}
	e.sh("qemu-img", "convert", "-m", "1", "-f", "raw", "-O", "raw", `json:{"file":`+node+`}`, out)
	im.fetched(e.TB, out)
	e.loseFrom(d, im)
	id, _, _ := strings.Cut(im.path, "/")
	disk := strings.ReplaceAll(`json:{"file":`+node+`}`, ",", ",,") // as -drive wants it
	e.boots(tinyos.BootConfig{Disk: disk, Format: "qcow2"}, e.meta(id).Commit, "qemu")
}

// fetchImpossible fetches what fails to be made: an error for each client and no
// file, for one attempt to make it.
func (e *env) fetchImpossible() {
	e.edit("manifest.yaml", func(s string) string { return strings.Replace(s, "packages:\n", "packages:\n  - no-such-package\n", 1) })
	d := e.door()
	jobs := e.jobFolders()
	e.each(davclient.All(), func(e *env, c davclient.Client) {
		f := c.Start(e.TB, d.url+"next/x86_64/qemu.qcow2")
		if err := f.Wait(); err == nil {
			e.Error("the client says that it got the file")
		}
		if st, err := os.Stat(f.File); err == nil && st.Size() > 0 {
			e.Errorf("there is a file of %d bytes", st.Size())
		}
	})
	if n := e.jobFolders() - jobs; n != 1 {
		e.Errorf("%d jobs tried to make it, want one", n)
	}
}
