package appliance

import "encoding/json"

// Port is the name of the virtio-serial port that joins host and guest. The
// guest sends one [Event] with Up first; the host answers with the job, one
// JSON value; events follow until one has Result or Error, which is the last.
const Port = "cosafs"

// An Event is what the guest tells, one JSON value a line.
type Event struct {
	Up       bool    `json:"up,omitempty"`       // the guest runs and wants its job
	Alive    bool    `json:"alive,omitempty"`    // work goes on, though there's nothing to tell
	Phase    string  `json:"phase,omitempty"`    // begins now
	Fraction float64 `json:"fraction,omitempty"` // of the job that is done when Phase begins, 0 to 1
	Log      string  `json:"log,omitempty"`      // one line that a step printed
	Error    string  `json:"error,omitempty"`    // what went wrong; ends the job
	// Result ends the job too.
	Result json.RawMessage `json:"result,omitempty"`
}
