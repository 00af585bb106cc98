package test

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"cosafs/test/faultproxy"
	"cosafs/test/need"
	"cosafs/test/s3server"
	"cosafs/test/storegen"
)

// prefix is where the trees of these tests lie in their bucket.
const prefix = "prod/streams/dev/builds"

// A remote is a tree of builds in a bucket, behind a proxy.
type remote struct {
	*storegen.Tree
	server *s3server.Server
	proxy  *faultproxy.Proxy
}

// newRemote makes a tree in a new bucket; cfg.Dir is set.
func newRemote(tb testing.TB, cfg storegen.Config) *remote {
	tb.Helper()
	s := s3server.Start(tb)
	cfg.Dir, cfg.Wrote = s.Object(s3server.Private, prefix), s3server.Adopt
	tree, err := storegen.Make(tb.Context(), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return &remote{tree, s, faultproxy.Start(tb, s.Endpoint)}
}

// inMemory lets a test with hundreds of thousands of small files have them in memory,
// where there is a file system for that: a disk takes a minute to make them, and another
// to delete them.
func inMemory(t *testing.T) {
	t.Helper()
	probe, err := os.CreateTemp("/dev/shm", "cosafs-test-")
	if err != nil {
		return
	}
	_ = probe.Close()                                                        // nothing was written
	if err := unix.Setxattr(probe.Name(), "user.etag", nil, 0); err == nil { // the server needs them
		t.Setenv("TMPDIR", "/dev/shm")
	}
	if err := os.Remove(probe.Name()); err != nil {
		t.Fatal(err)
	}
}

// url is the tree's, through the proxy.
func (r *remote) url() string { return urlAt(r.proxy.URL) }

// urlAt is the tree's URL at any endpoint.
func urlAt(endpoint string) string {
	return "s3://" + s3server.Private + "/" + prefix + "?endpoint=" + endpoint
}

// A storeEnv is a user of stores: with a cache, a mount point and an account, and
// without a build directory.
type storeEnv struct {
	*env
	options []string // of every command
}

// newStoreEnv makes one; options are those of the program, such as --store.
func newStoreEnv(tb testing.TB, options ...string) *storeEnv {
	tb.Helper()
	needStores(tb)
	buildProgram(tb)
	dir := tb.TempDir()
	e := &env{TB: tb, dir: dir, mnt: filepath.Join(dir, "mnt")}
	e.mkdir(e.mnt, filepath.Join(dir, "run"), filepath.Join(dir, "cache"))
	e.environ = append(os.Environ(), "XDG_RUNTIME_DIR="+filepath.Join(dir, "run"), "XDG_CACHE_HOME="+filepath.Join(dir, "cache"),
		"AWS_ACCESS_KEY_ID="+s3server.Access, "AWS_SECRET_ACCESS_KEY="+s3server.Secret, "AWS_REGION="+s3server.Region,
		"AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_CA_BUNDLE=")
	return &storeEnv{env: e, options: options}
}

// needStores asks for what a mount of a store takes.
func needStores(tb testing.TB) {
	tb.Helper()
	if testing.Short() {
		tb.Skip("short: this runs servers and mounts")
	}
	need.Tool(tb, "root", "fuse")
}

// run runs the program, which must succeed.
func (e *storeEnv) run(args ...string) string {
	e.Helper()
	return e.sh(shared.cosafs, append(append([]string{}, e.options...), args...)...)
}

// A daemon is a mount that the test holds as a process, so that it can be killed
// without asking anybody for its number.
type daemon struct {
	*exec.Cmd
	gone chan struct{} // closed when the process has ended
	err  error         // how it ended, once gone
}

// serve starts a daemon that mounts the stores, and returns when the tree answers.
func (e *storeEnv) serve() *daemon {
	e.Helper()
	d := e.start()
	e.awaitAnswer(d, time.Minute)
	return d
}

func (e *storeEnv) awaitAnswer(d *daemon, limit time.Duration) {
	e.Helper()
	e.eventually("the mount answers", limit, func() bool { return closed(d.gone) || e.answers() })
	if closed(d.gone) {
		e.Fatalf("the daemon ends before it answers: %v", d.err)
	}
}

// start starts a daemon without waiting for its mount.
func (e *storeEnv) start() *daemon {
	e.Helper()
	args := append(append([]string{}, e.options...), "mount", "--foreground", e.mnt)
	d := &daemon{Cmd: exec.Command(shared.cosafs, args...), gone: make(chan struct{})}
	d.Env, d.Dir = e.environ, e.dir
	log, err := os.OpenFile(filepath.Join(e.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		e.Fatal(err)
	}
	d.Stdout, d.Stderr = log, log
	if err := d.Start(); err != nil {
		e.Fatal(err)
	}
	_ = log.Close() // the daemon has it
	go func() { d.err = d.Wait(); close(d.gone) }()
	e.Cleanup(func() { e.end(d) })
	return d
}

// end ends a daemon as a user would, or else by force, and takes its mount away.
func (e *storeEnv) end(d *daemon) {
	e.Helper()
	if !closed(d.gone) {
		_ = d.Process.Signal(syscall.SIGTERM) // it may be gone by now
		killer := time.AfterFunc(20*time.Second, func() { _ = d.Process.Kill() })
		if <-d.gone; d.err != nil {
			e.Errorf("the daemon ends with %v", d.err)
		}
		killer.Stop()
	}
	if e.mounted() {
		_ = syscall.Unmount(e.mnt, syscall.MNT_DETACH) // of a killed daemon
	}
	if e.Failed() {
		e.Logf("log of the daemon:\n%s", tail(filepath.Join(e.dir, "log")))
	}
}

// kill kills a daemon as the out-of-memory killer does.
func (e *storeEnv) kill(d *daemon) {
	e.Helper()
	if err := d.Process.Kill(); err != nil {
		e.Fatal(err)
	}
	<-d.gone
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// tail is the end of a log.
func tail(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(data[max(0, len(data)-8<<10):])
}

// answers says whether the tree shows its list.
func (e *storeEnv) answers() bool {
	_, _, err := e.try("test", "-s", e.path("builds.json"))
	return err == nil
}

// shows waits until the tree shows so many builds, and until the store is left
// alone.
func (e *storeEnv) shows(builds int, p *faultproxy.Proxy) {
	e.Helper()
	e.eventually(fmt.Sprintf("%d builds are shown", builds), 3*time.Minute, func() bool {
		entries, err := os.ReadDir(e.mnt)
		return err == nil && len(entries) >= builds+2 // builds.json and latest
	})
	last, quiet := -1, 0
	e.eventually("the store is left alone", time.Minute, func() bool {
		now := p.Counts().Total()
		if quiet++; now != last {
			last, quiet = now, 0
		}
		return quiet >= 10
	})
}

// memory gives a process's resident and anonymous memory, and the most it ever
// had, in bytes.
func memory(tb testing.TB, pid int) (resident, anonymous, peak int64) {
	tb.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		tb.Fatal(err)
	}
	field := func(name string) int64 {
		_, rest, _ := strings.Cut(string(data), "\n"+name+":")
		line, _, _ := strings.Cut(rest, "\n")
		kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(line, "kB")), 10, 64)
		if err != nil {
			tb.Fatalf("%s of process %d: %v", name, pid, err)
		}
		return kb << 10
	}
	return field("VmRSS"), field("RssAnon"), field("VmHWM")
}

// diskUsage is what a directory takes on disk, in bytes.
func diskUsage(tb testing.TB, dir string) int64 {
	tb.Helper()
	var total int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			total += st.Blocks * 512
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return total
}

// sums gives the sha256 of all files below dir by their path there, without those
// that only a mount has.
func sums(tb testing.TB, dir string) map[string]string {
	tb.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == ".cosafs" {
			return fs.SkipDir
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		all[rel] = fmt.Sprintf("%x", sha256.Sum256(data))
		return err
	})
	if err != nil {
		tb.Errorf("read %s: %v", dir, err)
	}
	return all
}

// sameFiles compares two trees of sums.
func sameFiles(tb testing.TB, what string, got, want map[string]string) {
	tb.Helper()
	for name, sum := range want {
		if got[name] != sum {
			tb.Errorf("%s: %s has sha256 %q; want %s", what, name, got[name], sum)
		}
	}
	for name := range got {
		if want[name] == "" {
			tb.Errorf("%s: %s is there, too", what, name)
		}
	}
}
