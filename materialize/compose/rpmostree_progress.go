package compose

import (
	"bytes"
	"regexp"

	"cosafs/materialize"
)

// A step is a phase that rpm-ostree announces, with the share of a full
// compose that is done when it begins (of a small OS, packages in the cache;
// downloads make the early part longer).
type step struct {
	prefix   string
	phase    string
	fraction float64
}

// steps are in the order in which rpm-ostree goes through them.
func steps() []step {
	return []step{
		{"Updating metadata", "updating metadata", 0.02},
		{"Importing rpm-md", "reading metadata", 0.05},
		{"Resolving dependencies", "resolving dependencies", 0.10},
		{"Will download", "downloading packages", 0.14},
		{"Downloading", "downloading packages", 0.15},
		{"Importing packages", "importing packages", 0.35},
		{"Checking out packages", "checking out packages", 0.45},
		{"Running pre scripts", "running scripts", 0.55},
		{"Running post scripts", "running scripts", 0.60},
		{"Running posttrans scripts", "running scripts", 0.65},
		{"Writing rpmdb", "writing rpmdb", 0.70},
		{"Executing `postprocess`", "postprocessing", 0.72},
		{"Initializing rootfs", "postprocessing", 0.75},
		{"Preparing kernel", "making initramfs", 0.80},
		{"Committing", "committing", 0.92},
	}
}

// escapeCodes are what rpm-ostree draws its bars with on a terminal, and podman
// passes on.
var escapeCodes = regexp.MustCompile("\x1b\\[[0-9;]*[A-Za-z]|[\u2800-\u28ff]")

// maxLine is where a line without an end is given up.
const maxLine = 4 << 10

// phases turns rpm-ostree's output into progress. A step counts from its first
// word on: without a terminal "Committing..." gets its end of line only when it
// is done.
type phases struct {
	task *materialize.Task
	line []byte
	last float64
}

// Write never fails.
func (p *phases) Write(data []byte) (int, error) {
	for _, c := range data {
		switch {
		case c == '\n' || c == '\r':
			p.look()
			p.line = p.line[:0]
		case len(p.line) < maxLine:
			p.line = append(p.line, c)
		}
	}
	p.look()
	return len(data), nil
}

// look tells the phase that the line so far announces. Progress never goes back.
func (p *phases) look() {
	text := bytes.TrimSpace(escapeCodes.ReplaceAll(p.line, nil))
	for _, s := range steps() {
		if s.fraction > p.last && bytes.HasPrefix(text, []byte(s.prefix)) {
			p.last = s.fraction
			if p.task.Progress != nil { // the log has the line already
				p.task.Progress(s.phase, s.fraction)
			}
		}
	}
}
