package scratch_test

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"cosafs/test/need"
	"cosafs/vfs/davfs/scratch"
)

// TestClients lets programs of others write, change and read back, as people
// would. Each leaves /dir/c with 300000 bytes, and nothing else.
func TestClients(t *testing.T) {
	for _, c := range []struct {
		name   string
		tools  []string
		script string
	}{
		{"curl", []string{"curl"}, `
			curl -fsS -T big "$URL/a"
			curl -fsS -X MKCOL "$URL/dir"
			curl -fsS -X MOVE -H "Destination: $URL/dir/b" "$URL/a"
			curl -fsS -X COPY -H "Destination: $URL/dir/c" "$URL/dir/b"
			curl -fsS -X DELETE "$URL/dir/b"
			curl -fsS "$URL/dir/c" >back`},
		// cadaver ends with 0 whatever happens. It shows its lock's token by itself.
		{"cadaver", []string{"cadaver"}, `
			cadaver "$URL/" <<-END
				put big a
				lock a
				put small a
				put big a
				unlock a
				mkcol dir
				move a dir/b
				copy dir/b dir/c
				propset dir/c color red
				delete dir/b
				get dir/c back
			END`},
		{"rclone", []string{"rclone"}, `
			export RCLONE_CONFIG= RCLONE_WEBDAV_URL="$URL/"
			rclone copyto big :webdav:dir/b
			rclone moveto :webdav:dir/b :webdav:dir/c
			rclone copyto small :webdav:dir/d
			rclone deletefile :webdav:dir/d
			rclone copyto :webdav:dir/c back`},
		// davfs2 locks what is open for writing; unmounting waits for what it has yet to
		// send. Its cache has to be where its own account can reach it.
		{"davfs2", []string{"mount.davfs", "fuse", "root", "unshare"}, `
			mkdir -p mnt cache; chmod 777 cache
			mount --bind cache /var/cache/davfs2; mount -t tmpfs tmpfs /run
			printf '%s\n' 'ask_auth 0' 'use_locks 1' 'buf_size 256' 'delay_upload 0' >davfs2.conf
			mount -t davfs -o "rw,conf=$PWD/davfs2.conf" "$URL/" mnt
			cp small mnt/a
			cp big mnt/a
			mkdir mnt/dir
			mv mnt/a mnt/dir/b
			cp mnt/dir/b mnt/dir/c
			rm mnt/dir/b
			umount mnt
			mount -t davfs -o "ro,conf=$PWD/davfs2.conf" "$URL/" mnt
			cp mnt/dir/c back
			umount mnt`},
	} {
		t.Run(c.name, func(t *testing.T) {
			need.Tool(t, c.tools...)
			s := serve(t, scratch.Config{})
			dir := t.TempDir()
			big := string(version(3))
			for len(big) < 300_000 {
				big += string(version(len(big)))
			}
			write(t, filepath.Join(dir, "big"), big)
			write(t, filepath.Join(dir, "small"), "small")
			s.runScript(t, dir, c.script, needsRoot(c.tools))
			if got, err := os.ReadFile(filepath.Join(dir, "back")); err != nil || string(got) != big {
				t.Errorf("it read %d bytes back, %v", len(got), err)
			}
			if got := s.want(t, http.StatusOK, "GET", "dir/c", ""); got.body != big {
				t.Errorf("it stored %d bytes", len(got.body))
			}
			wantFiles(t, s.dir, "dir/c")
		})
	}
}

func needsRoot(tools []string) bool {
	for _, tool := range tools {
		if tool == "root" {
			return true
		}
	}
	return false
}

// runScript runs what a person would type, with $URL. A script that mounts has
// mounts and processes of its own, which end with it.
func (s *site) runScript(t *testing.T, dir, script string, mounts bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	args := []string{"sh", "-euc", script}
	if mounts {
		args = append([]string{"unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"}, args...)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "URL=http://"+s.host+prefix)
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Logf("%s", out)
}
