package appliance

import (
	"encoding/json"
	"io"
	"os"
	"sync/atomic"
)

// A monitor listens to qemu's own control channel (QMP), which alone tells why
// a guest's write failed: the guest only sees an I/O error.
type monitor struct {
	conn *os.File
	full atomic.Bool // a disk's file could not grow
	done chan struct{}
}

func watch(conn *os.File) *monitor {
	m := &monitor{conn: conn, done: make(chan struct{})}
	go m.listen()
	return m
}

// listen reads events until qemu is gone. Events flow only after the handshake.
func (m *monitor) listen() {
	defer close(m.done)
	if _, err := io.WriteString(m.conn, `{"execute":"qmp_capabilities"}`+"\n"); err != nil {
		return // qemu is gone already
	}
	in := json.NewDecoder(m.conn)
	for {
		var e struct {
			Event string `json:"event"`
			Data  struct {
				NoSpace bool `json:"nospace"`
			} `json:"data"`
		}
		if in.Decode(&e) != nil {
			return
		}
		if e.Event == "BLOCK_IO_ERROR" && e.Data.NoSpace {
			m.full.Store(true)
		}
	}
}

// close ends the monitor and waits for it.
func (m *monitor) close() {
	_ = m.conn.Close() // nothing was promised
	<-m.done
}
