package s3server

import (
	"os"
	"path/filepath"
	"testing"
)

// Rclone builds rclone, a module of its own in test/rclone, or finds it built.
func Rclone(tb testing.TB) string {
	tb.Helper()
	exe, err := rclone()
	if err != nil {
		tb.Fatal(err)
	}
	return exe
}

// StartSecond starts another program's S3 server, rclone serve s3, that ends
// with the test. Its account is the same; it lets nobody read without it, not even
// bucket Public. It knows no ACLs and keeps no checksums; ETags are MD5 sums of
// the files, whoever wrote them.
func StartSecond(tb testing.TB) *Server {
	tb.Helper()
	s := newServer(tb, Rclone(tb))
	for _, bucket := range []string{Private, Public} {
		if err := os.Mkdir(filepath.Join(s.Dir, bucket), 0o755); err != nil {
			tb.Fatal(err)
		}
	}
	// Files written past the server are to be seen at once.
	s.args = []string{"serve", "s3", "--addr", s.Addr, "--auth-key", Access + "," + Secret,
		"--config", os.DevNull, "--dir-cache-time", "0", "--poll-interval", "0", "--vfs-cache-mode", "off", s.Dir}
	s.Restart(tb)
	return s
}
