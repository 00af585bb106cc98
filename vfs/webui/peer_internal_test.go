package webui

import (
	"net"
	"os"
	"path/filepath"
	"testing"
)

// A connection of somebody who is neither the owner nor root gets nothing.
func TestPeerListenerChecksUser(t *testing.T) {
	tests := []struct {
		name string
		uid  int
		want bool
	}{
		{"owner", os.Getuid(), true},
		{"stranger", os.Getuid() + 1, os.Getuid() == 0}, // root may everywhere
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "s")
			l, err := net.Listen("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			accepted := make(chan net.Conn, 1)
			go func() {
				conn, err := (&peerListener{Listener: l, uid: tt.uid}).Accept()
				if err != nil {
					conn = nil
				}
				accepted <- conn
			}()
			conn, err := net.Dial("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			if !tt.want {
				if _, err := conn.Read(make([]byte, 1)); err == nil {
					t.Error("a stranger got an answer")
				}
			}
			if tt.want {
				if uid, err := peerUID(conn); err != nil || uid != os.Getuid() {
					t.Errorf("peerUID = %d, %v", uid, err)
				}
				if c := <-accepted; c == nil {
					t.Error("not accepted")
				}
			}
			_ = l.Close()
		})
	}
}
