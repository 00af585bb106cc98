package httplink

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// A slow upload is no silence, though nothing is read the while; a server that
// neither takes nor sends is.
func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		c := &conn{Conn: near, silence: time.Minute}
		read := make(chan error, 1)
		go func() {
			_, err := c.Read(make([]byte, 1))
			read <- err
		}()
		start := time.Now()
		go func() { // takes a little every 40 s
			for range 10 {
				<-time.After(40 * time.Second)
				if _, err := io.ReadFull(far, make([]byte, 128<<10)); err != nil {
					t.Error(err)
				}
			}
		}()
		if n, err := c.Write(make([]byte, 10*128<<10)); n != 10*128<<10 || err != nil {
			t.Errorf("wrote %d, %v", n, err)
		}
		if err := <-read; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read: %v; want a time-out", err)
		}
		if took := time.Since(start); took < 400*time.Second || took > 500*time.Second {
			t.Errorf("the read failed after %v; want a minute after the last write", took)
		}
		if _, err := c.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Write to a server that takes nothing: %v; want a time-out", err)
		}
	})
}
