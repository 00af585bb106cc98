package webui

import (
	"context"

	"cosafs/materialize"
)

// A Compressor is a [Service] that can compress the artifacts of its builds in
// place. [Handler] offers the call only where its service is one.
type Compressor interface {
	// Compress compresses the artifacts that are recorded, or undoes it, one after
	// the other, and says what became of each. Those that failed are in the error;
	// the others are done all the same.
	Compress(ctx context.Context, req CompressRequest, tell func(materialize.Event)) ([]Compressed, error)
}

// A CompressRequest is cosafs compress's options, and decompress's.
type CompressRequest struct {
	Builds     []string `json:"builds,omitempty"`     // none = the latest
	Kinds      []string `json:"kinds,omitempty"`      // none = all
	Compressor string   `json:"compressor,omitempty"` // gzip, xz, zstd or zip; "" = what image.yaml says
	Fast       bool     `json:"fast,omitempty"`       // with the least effort
	Uncompress bool     `json:"uncompress,omitempty"` // the other way round
}

// A Compressed says what became of an artifact.
type Compressed struct {
	Build   string `json:"build"`
	Arch    string `json:"arch"`
	Kind    string `json:"kind"`
	File    string `json:"file"`              // its name now
	Size    int64  `json:"size"`              // bytes now
	Before  int64  `json:"before"`            // bytes before
	Skipped string `json:"skipped,omitempty"` // why it stayed as it was
}
