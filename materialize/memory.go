package materialize

import (
	"errors"
	"fmt"
	"time"
)

// maxBackoff bounds how long a transient failure answers for new attempts.
const maxBackoff = 5 * time.Minute

// A Memory keeps what the next process should know: failures by the key of
// their work, and sizes of artifacts that exist nowhere now. It is a cache:
// losing it costs time only. Methods are safe for concurrent use by goroutines
// and processes, and answer from the local disk.
type Memory interface {
	// Failure gives the last failure of the work, expired or not, and whether
	// there is one that can be read.
	Failure(key string) (FailureRecord, bool)
	// PutFailure replaces the failure of the work. All or nothing.
	PutFailure(key string, rec FailureRecord) error
	// ClearFailure forgets it; no error when there is none.
	ClearFailure(key string) error
	// Size gives the bytes that PutSize recorded under any string.
	Size(key string) (int64, bool)
	// PutSize replaces the size. All or nothing.
	PutSize(key string, size int64) error
}

// A FailureRecord is a failure as it is remembered.
type FailureRecord struct {
	Job     string    `json:"job"`
	Class   Class     `json:"class"`
	Op      string    `json:"op"`
	Message string    `json:"message"`
	Hint    string    `json:"hint"`
	Time    time.Time `json:"time"`
	Until   time.Time `json:"until"`   // answers new attempts before this moment
	Attempt int       `json:"attempt"` // 1 for a first failure; grows until a success
	// Causes are the keys of the works below this one that failed first: one
	// retry has to forget them too.
	Causes []string `json:"causes,omitempty"`
}

// newFailureRecord makes the record of a failed attempt; last is the record
// before it, the zero value if there was none.
func newFailureRecord(job string, f *Failure, causes []string, last FailureRecord, now time.Time) FailureRecord {
	rec := FailureRecord{
		Job: job, Class: f.Class, Op: f.Op, Message: fmt.Sprint(f.Err), Hint: f.Hint,
		Time: now, Attempt: last.Attempt + 1, Causes: causes,
	}
	rec.Until = now.Add(backoff(f.Class, rec.Attempt))
	return rec
}

// backoff is how long the attempt's failure is remembered. A transient one is
// remembered for twice as long after each attempt, so that a script that opens
// in a loop doesn't start a virtual machine every ten seconds for ever.
func backoff(c Class, attempt int) time.Duration {
	ttl := c.TTL()
	if ttl >= maxBackoff {
		return ttl
	}
	for ; attempt > 1 && ttl < maxBackoff; attempt-- {
		ttl *= 2
	}
	return min(ttl, maxBackoff)
}

// err gives the error that the record stands for.
func (rec FailureRecord) err(key string) error {
	f := Fail(rec.Class, rec.Op, rec.Hint, errors.New(rec.Message))
	return &JobError{Job: rec.Job, Key: key, Causes: rec.Causes, Err: f}
}

// A JobError says which job an error comes from, so that a person can be told
// whose log to read. It adds nothing to the text.
type JobError struct {
	Job    string   // id, "" if the job never got one
	Key    string   // of its work
	Causes []string // keys of works below it that failed first, where the chain doesn't say
	Err    error
}

// Error is the text of the cause.
func (e *JobError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *JobError) Unwrap() error { return e.Err }

// failedKeys lists the keys of all works in err's chain.
func failedKeys(err error) []string {
	var keys []string
	for {
		var e *JobError
		if !errors.As(err, &e) {
			return keys
		}
		keys = append(append(keys, e.Key), e.Causes...)
		err = e.Err
	}
}
