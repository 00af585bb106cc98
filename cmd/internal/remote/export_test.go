package remote

import (
	"context"
	"net/http"
	"time"

	"cosafs/vfs"
)

// Doors are handlers in the places of the real ones.
type Doors struct {
	Files, API, Page, Upload http.Handler
	Root                     vfs.Dir
	Waiting                  func() int
}

// ListenWith is Listen with other doors.
func ListenWith(ctx context.Context, cfg Config, d Doors) (*Server, error) {
	return listen(ctx, cfg, func(context.Context, Config) (doors, error) {
		return doors{
			files: d.Files, api: d.API, page: d.Page, upload: d.Upload, root: d.Root, waiting: d.Waiting,
			close: func() error { return nil },
		}, nil
	})
}

// Patience shortens what a server waits for at its end; before Serve.
func (s *Server) Patience(drain, farewell time.Duration) {
	s.patience.drain, s.patience.farewell = drain, farewell
}

// HeaderTime shortens what a client may take for a header; before Serve.
func (s *Server) HeaderTime(d time.Duration) { s.http.ReadHeaderTimeout = d }

// Stall shortens what a client may do nothing; before Serve.
func (s *Server) Stall(d time.Duration) { s.patience.stall = d }

// What tests have to know of the limits.
const (
	HeaderTime  = headerTime
	StallTime   = stallTime
	SpareConns  = spareConns
	HeaderBytes = headerBytes
	BodyBytes   = bodyBytes
	Piece       = piece
)
