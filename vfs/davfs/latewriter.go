package davfs

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
)

// A piece is what bytes are copied in.
type piece [256 << 10]byte

// A lateWriter writes the header when it has the first bytes, so that a first read
// that fails has an answer of its own; then it copies in large pieces.
type lateWriter struct {
	http.ResponseWriter
	pieces *sync.Pool // of *piece
	status int        // 0 is none yet
	begun  bool
	err    error // of a write, or of sending a file
}

// WriteHeader keeps the status.
func (l *lateWriter) WriteHeader(status int) { l.status = status }

// Write writes the header and p: text of ServeContent's own, such as an error.
func (l *lateWriter) Write(p []byte) (int, error) {
	l.flush()
	n, err := l.ResponseWriter.Write(p)
	if err != nil {
		l.err = err
	}
	return n, err
}

// ReadFrom copies src: a file by the socket's own means (sendfile), anything else in
// large pieces.
func (l *lateWriter) ReadFrom(src io.Reader) (int64, error) {
	if part, ok := src.(*io.LimitedReader); ok {
		socket, direct := l.ResponseWriter.(io.ReaderFrom)
		if _, isFile := part.R.(*os.File); isFile && direct {
			return l.send(socket, part)
		}
	}
	return l.copy(src)
}

func (l *lateWriter) send(socket io.ReaderFrom, part *io.LimitedReader) (int64, error) {
	l.flush()
	want := part.N
	n, err := socket.ReadFrom(part)
	if err == nil && n < want {
		err = io.ErrUnexpectedEOF
	}
	l.err = err
	return n, err
}

func (l *lateWriter) copy(src io.Reader) (sum int64, err error) {
	buf, ok := l.pieces.Get().(*piece)
	if !ok {
		buf = new(piece)
	}
	defer l.pieces.Put(buf)
	for {
		n, err := io.ReadAtLeast(src, buf[:], 1)
		if n > 0 {
			if _, err := l.Write(buf[:n]); err != nil {
				return sum, err
			}
			sum += int64(n)
		}
		switch {
		case errors.Is(err, io.EOF):
			return sum, nil
		case err != nil:
			return sum, err
		}
	}
}

// flush writes the header, once.
func (l *lateWriter) flush() {
	if !l.begun {
		l.begun = true
		if l.status != 0 {
			l.ResponseWriter.WriteHeader(l.status)
		}
	}
}
