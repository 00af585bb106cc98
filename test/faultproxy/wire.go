package faultproxy

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A Wire is a long network cable: what clients send takes some time to arrive,
// and answers come at a bounded rate. It does not look at the bytes, and the kernel
// copies and paces the answers, so that it costs next to nothing and is no
// bottleneck of a measurement.
type Wire struct {
	Delay time.Duration // of what clients send: of each request, once
	Rate  int           // bytes a second of each connection's answers; 0 = no bound
}

// Start lays the wire to addr and gives the address of its near end. The wire ends
// with the test.
func (w Wire) Start(tb testing.TB, addr string) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	var wg sync.WaitGroup
	ends := &ends{open: map[net.Conn]bool{}}
	wg.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return // closed below
			}
			wg.Go(func() { w.connect(near, addr, ends) })
		}
	})
	tb.Cleanup(func() { _ = l.Close(); ends.closeAll(); wg.Wait() })
	return l.Addr().String()
}

// connect joins a client's connection and one to the server, until either ends.
func (w Wire) connect(near net.Conn, addr string, ends *ends) {
	far, err := net.Dial("tcp", addr)
	if err != nil {
		_ = near.Close()
		return
	}
	ends.add(near, far)
	defer ends.close(near, far)
	if w.Rate > 0 && pace(near, w.Rate) != nil {
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() { w.late(far, near); ends.close(near, far) })
	wg.Go(func() { _, _ = io.Copy(near, far); ends.close(near, far) }) // either end may break off
	wg.Wait()
}

// A parcel is what came in at one time.
type parcel struct {
	data []byte
	due  time.Time
}

// late copies what is read when it is due, and reads on meanwhile.
func (w Wire) late(to io.Writer, from io.Reader) {
	parcels := make(chan parcel, 64)
	var wg sync.WaitGroup
	wg.Go(func() {
		for p := range parcels {
			<-time.After(time.Until(p.due))
			_, _ = to.Write(p.data) // a broken end ends the reading, too
		}
	})
	for {
		buf := make([]byte, 64<<10)
		n, err := from.Read(buf)
		if n > 0 {
			parcels <- parcel{buf[:n], time.Now().Add(w.Delay)}
		}
		if err != nil {
			break
		}
	}
	close(parcels)
	wg.Wait()
}

// pace has the kernel bound the rate of a connection.
func pace(c net.Conn, rate int) error {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return errors.ErrUnsupported
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return err
	}
	var serr error
	err = raw.Control(func(fd uintptr) {
		serr = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MAX_PACING_RATE, rate)
	})
	return errors.Join(err, serr)
}

// ends are all connections of a wire.
type ends struct {
	mu   sync.Mutex // guards open, shut
	open map[net.Conn]bool
	shut bool
}

func (e *ends) add(conns ...net.Conn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range conns {
		e.open[c] = true
		if e.shut {
			_ = c.Close()
		}
	}
}

// close closes connections; doing so twice does nothing.
func (e *ends) close(conns ...net.Conn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
		delete(e.open, c)
	}
}

func (e *ends) closeAll() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.shut = true
	for c := range e.open {
		_ = c.Close()
	}
}
