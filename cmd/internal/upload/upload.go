// Package upload sends builds of a workdir to a store, as cosa's buildupload
// does: the same keys, headers and order. Unlike buildupload it sends only what
// the store lacks, never replaces the bytes of a published artifact unasked, and
// loses nothing to others who upload at the same time.
//
// Bytes go first, then meta.json, then builds.json, so that whatever builds.json
// lists is there. A run that ends early leaves objects that no list names; the
// next run takes them over.
package upload

import (
	"context"
	"errors"
	"time"

	"cosafs/backend"
	"cosafs/index"
	"cosafs/materialize"
)

// Options say what to upload and where to.
type Options struct {
	Workdir string        // holds builds/ and tmp/
	Dest    backend.Store // has to be a backend.Writer, but for a dry run
	URL     string        // of Dest, for messages and for tmp/builds-source.txt
	Build   string        // "" = the newest of builds.json
	Arches  []string      // nil = all of the build whose meta.json is here
	// Artifacts are the kinds to send; nil = all. The others are taken out of the
	// meta.json that is sent, unless the store has them.
	Artifacts []string
	// Force sends everything, also over published artifacts that have other bytes,
	// and lists a build again that garbage collection deleted.
	Force          bool
	DryRun         bool // send nothing, not even probes
	SkipBuildsJSON bool
	Parallel       int // files sent at once; 0 = 4, as a large file is sent in parallel parts itself
	// Tell is told how far the upload is; it may be nil. It is called by several
	// goroutines, one at a time.
	Tell func(materialize.Event)
	Now  func() time.Time // nil = time.Now
}

// An Object is one object of the store.
type Object struct {
	Key  string `json:"key"`
	Size int64  `json:"size"` // bytes
	Why  string `json:"why"`  // it is sent, or skipped
}

// Report says what an upload did, or would do; after an error, what it was about
// to do.
type Report struct {
	Build   string   `json:"build"`
	Sent    []Object `json:"sent"`            // in the order of their keys; documents last
	Skipped []Object `json:"skipped"`         // likewise
	Bytes   int64    `json:"bytes"`           // of Sent
	Listed  bool     `json:"listed"`          // builds.json of the store has the build, for all architectures uploaded
	Notes   []string `json:"notes,omitempty"` // what a person should know, one line each
}

// Names of the documents, which are sent last.
const (
	listFile = "builds.json"
	metaFile = "meta.json"
)

// stale is how old an object may be that no list names and is taken over as it
// is. Garbage collection spares such objects for longer than this plus the time
// an upload takes (see package gc); older ones are sent again, which makes them
// new.
const stale = 24 * time.Hour

// Run uploads one build. Any error leaves the store's builds.json as it was,
// except where objects vanish after it was written: the error says so.
//
// Errors: [fs.ErrNotExist] where the build, an architecture or a file is not here;
// [fs.ErrExist] where the store has a published artifact with other bytes;
// [backend.ErrDigest] where a file is not what meta.json says;
// [errors.ErrUnsupported] for a store without conditional writes, and for lists
// from before architectures (2019-07). They are [materialize.Failure]s where a
// person can do something.
func Run(ctx context.Context, o Options) (Report, error) {
	o = o.withDefaults()
	src, err := readLocal(ctx, o)
	if err != nil {
		return Report{}, err
	}
	dst, err := readRemote(ctx, o, src)
	if err != nil {
		return Report{}, err
	}
	u := &uploader{Options: o, src: src, dst: dst, report: Report{Build: string(src.id), Notes: src.notes}}
	if err := u.plan(ctx); err != nil {
		return u.report, err
	}
	if o.DryRun {
		return u.report, u.preview(ctx)
	}
	return u.report, u.upload(ctx)
}

func (o Options) withDefaults() Options {
	if o.Parallel <= 0 {
		o.Parallel = 4
	}
	if o.Tell == nil {
		o.Tell = func(materialize.Event) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// An uploader is one Run.
type uploader struct {
	Options
	src    *local
	dst    *remote
	items  []*item // in the order of their keys
	report Report
}

// upload sends what the plan says, in cosa's order.
func (u *uploader) upload(ctx context.Context) error {
	if err := u.checkStore(ctx); err != nil {
		return err
	}
	if err := u.sendFiles(ctx); err != nil {
		return err
	}
	for _, a := range u.src.arches {
		if err := u.sendMeta(ctx, a); err != nil {
			return err
		}
	}
	if u.SkipBuildsJSON {
		u.report.Listed = u.dst.lists(u.src)
		return u.confirm(ctx)
	}
	if err := u.sendList(ctx); err != nil {
		return err
	}
	u.report.Listed = true
	if err := u.confirm(ctx); err != nil {
		return err
	}
	return u.recordSource(ctx)
}

// checkStore finds out that a store can't be written safely before gigabytes
// were sent to it: stores that can know have a CheckConditions.
func (u *uploader) checkStore(ctx context.Context) error {
	if _, ok := backend.As[backend.Writer](u.Dest); !ok {
		return materialize.Fail(materialize.ClassConfig, "upload to "+u.URL, "upload to s3:// or to a directory",
			materialize.Says(errors.ErrUnsupported, "the store is read-only"))
	}
	checker, ok := backend.As[interface {
		CheckConditions(ctx context.Context) error
	}](u.Dest)
	if !ok {
		return nil
	}
	err := checker.CheckConditions(ctx)
	if errors.Is(err, errors.ErrUnsupported) {
		return unconditional(err)
	}
	return err
}

// wants says whether an artifact is to be sent.
func (u *uploader) wants(kind index.Kind) bool {
	if u.Artifacts == nil {
		return true
	}
	for _, a := range u.Artifacts {
		if index.Kind(a) == kind {
			return true
		}
	}
	return false
}

func (u *uploader) note(text string) { u.report.Notes = append(u.report.Notes, text) }
