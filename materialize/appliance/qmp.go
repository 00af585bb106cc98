package appliance

import (
	"encoding/json"
	"io"
	"os"
)

// A monitor listens to qemu's own control channel (QMP). It alone tells that
// the host's disk is full: qemu stops the guest's processors then.
type monitor struct {
	conn *os.File
	full chan struct{} // closed when a disk's file could not grow
	done chan struct{} // closed when nobody listens any more
}

func watch(conn *os.File) *monitor {
	m := &monitor{conn: conn, full: make(chan struct{}), done: make(chan struct{})}
	go m.listen()
	return m
}

// listen reads events until qemu is gone or has said what we wait for. Events flow only after the handshake.
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
			close(m.full)
			return // the machine stands still
		}
	}
}

// close ends the monitor and waits for it.
func (m *monitor) close() {
	_ = m.conn.Close() // nothing was promised
	<-m.done
}
