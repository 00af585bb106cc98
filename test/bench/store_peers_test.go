package bench

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"cosafs/test/s3server"
)

// A storePeer is a way to read objects.
type storePeer struct {
	name  string
	start func(b *testing.B, o *objects, addr string) *peerMount
}

// raw, and the names of the peers that cosafs is compared with.
const (
	raw    = "raw GETs"
	cosaFS = "cosafs"
)

func storePeers() []storePeer {
	return []storePeer{
		{raw, rawPeer},
		{cosaFS, cosafsPeer},
		{"rclone 1.60", rclonePeer(func(testing.TB) string { return "rclone" }, "--vfs-cache-mode", "full")},
		{"rclone 1.76", rclonePeer(s3server.Rclone, "--vfs-cache-mode", "full")},
		{"rclone 1.76, 16 streams", rclonePeer(s3server.Rclone, "--vfs-cache-mode", "full", "--vfs-read-chunk-streams", "16", "--vfs-read-chunk-size", "4M")},
		{"s3fs", s3fsPeer},
	}
}

// A peerMount is one turn of a peer.
type peerMount struct {
	testing.TB
	pid  int // of the daemon; 0 = this process reads
	open func(key string) (source, error)
	all  func(key string) error // reads a whole object, in order where it is a file
	stop func()
}

// cosafsPeer mounts the tree with cosafs.
func cosafsPeer(b *testing.B, o *objects, addr string) *peerMount {
	b.Helper()
	url := "s3://" + s3server.Public + "/builds?anonymous=1&endpoint=http://" + addr
	return mountPeer(b, o, func(dir, mnt string) *exec.Cmd {
		cmd := exec.Command(program(b), "--store", url, "--refresh", "1h", "mount", "--foreground", mnt)
		cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+dir, "XDG_RUNTIME_DIR="+dir, "AWS_REGION="+s3server.Region, "AWS_CONFIG_FILE=/dev/null")
		return cmd
	})
}

// rclonePeer mounts the bucket with rclone.
func rclonePeer(exe func(testing.TB) string, options ...string) func(*testing.B, *objects, string) *peerMount {
	return func(b *testing.B, o *objects, addr string) *peerMount {
		b.Helper()
		remote := ":s3,provider=Other,access_key_id=" + s3server.Access + ",secret_access_key=" + s3server.Secret +
			",endpoint='http://" + addr + "',force_path_style=true:" + s3server.Public + "/builds"
		return mountPeer(b, o, func(dir, mnt string) *exec.Cmd {
			args := append([]string{"mount", "--config", os.DevNull, "--read-only", "--no-checksum", "--cache-dir", dir}, options...)
			cmd := exec.Command(exe(b), append(args, remote, mnt)...)
			cmd.Env = append(os.Environ(), "AWS_CA_BUNDLE=")
			return cmd
		})
	}
}

// s3fsPeer mounts the bucket with s3fs.
func s3fsPeer(b *testing.B, o *objects, addr string) *peerMount {
	b.Helper()
	return mountPeer(b, o, func(dir, mnt string) *exec.Cmd {
		secret := filepath.Join(dir, "passwd")
		if err := os.WriteFile(secret, []byte(s3server.Access+":"+s3server.Secret), 0o600); err != nil {
			b.Fatal(err)
		}
		return exec.Command("s3fs", s3server.Public+":/builds", mnt, "-f", "-o", "url=http://"+addr, "-o", "use_path_request_style",
			"-o", "passwd_file="+secret, "-o", "ro", "-o", "use_cache="+filepath.Join(dir, "cache"), "-o", "parallel_count=16")
	})
}

// mountPeer starts a program that mounts the tree at a directory and stays, and
// waits for the tree.
func mountPeer(b *testing.B, o *objects, command func(dir, mnt string) *exec.Cmd) *peerMount {
	b.Helper()
	dir := b.TempDir()
	mnt, cache := filepath.Join(dir, "mnt"), filepath.Join(dir, "cache")
	for _, d := range []string{mnt, cache} {
		if err := os.Mkdir(d, 0o755); err != nil {
			b.Fatal(err)
		}
	}
	cmd := command(cache, mnt)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &log, &log, time.Second
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	m := fileReader(b, mnt)
	m.pid, m.stop = cmd.Process.Pid, func() { endMount(b, cmd, mnt, dir) }
	if !shows(b, filepath.Join(mnt, o.key(forAll))) {
		m.stop()
		b.Fatalf("%s shows nothing: %s", cmd.Path, log.String())
	}
	return m
}

// shows waits until a file is to be seen.
func shows(b *testing.B, path string) bool {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if info, err := os.Stat(path); err == nil && info.Size() == objectSize {
			return true
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
}

// endMount ends a peer and takes away what it left.
func endMount(b *testing.B, cmd *exec.Cmd, mnt, dir string) {
	b.Helper()
	_ = cmd.Process.Signal(syscall.SIGTERM) // it may have died
	killer := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
	_ = cmd.Wait() // its end is no result
	killer.Stop()
	_ = syscall.Unmount(mnt, syscall.MNT_DETACH) // most peers did
	if err := os.RemoveAll(dir); err != nil {
		b.Error(err)
	}
}
