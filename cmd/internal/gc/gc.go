// Package gc deletes from a store what a policy no longer wants, as cosa's cloud
// garbage collection (cloud-prune) does, and records it in builds.json the same
// way: deleted builds move to tombstone-builds, builds that lost their artifacts
// get a policy-cleanup. meta.json keeps naming what was deleted.
//
// builds.json changes first, by compare-and-swap and with a copy of the old one
// in builds.json.bak; objects go afterwards. So no list ever names a build that is
// going, and a run that ends early is finished by the next.
//
// Whoever uploads at the same time loses nothing: what no list names yet is
// spared for [Policy].Grace after the store got it, is looked at again right
// before it goes, and package upload sends again what lies there for longer than
// a day, and what is missing after it listed the build.
package gc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"cosafs/backend"
	"cosafs/index"
	"cosafs/materialize"
)

// Options say what to collect where.
type Options struct {
	Store  backend.Store // has to list, and to be a backend.Writer but for a dry run
	Policy Policy
	// Roots are builds that stay whole whatever the policy says. So do the newest
	// build of the list, builds with a tag, and those that a side object
	// (.cosafs/…/<id>/…, a lease for example) names.
	Roots    []string
	Dry      bool                    // only tell
	Parallel int                     // requests at once; 0 = 16
	Tell     func(materialize.Event) // may be nil; it is called one at a time
	Now      func() time.Time        // nil = time.Now
}

// A Policy says what stays.
type Policy struct {
	Builds Keep // a build beyond it is deleted whole
	Images Keep // a build beyond it loses its artifacts, but for ImagesKept
	// ImagesKept are the kinds that stay. Without ostree among them nobody can make
	// the others again.
	ImagesKept []index.Kind
	// Unlisted deletes builds with a meta.json that builds.json does not name, too.
	// They may be of an upload that never listed them on purpose, or have
	// been lost from the list by a tool that wrote an old one over it; so without
	// it they are only noted.
	Unlisted bool
	// Grace is how long what no list names is spared, as somebody may be uploading
	// it; 0 = 7 days. It must exceed two days: see package upload.
	Grace time.Duration
}

// Keep says which builds stay: the newest so many, and those that are younger.
// Zero fields keep nothing, the zero Keep keeps all. Builds that stay in any case
// are not counted.
type Keep struct {
	Newest    int
	NewerThan time.Duration // since the build's time in meta.json
}

const (
	defaultGrace = 7 * 24 * time.Hour
	leastGrace   = 2 * 24 * time.Hour
)

// An Object is one object of the store.
type Object struct {
	Key  string `json:"key"`
	Size int64  `json:"size"` // bytes
	Why  string `json:"why"`  // it goes
}

// Report says what a run did, or would do.
type Report struct {
	Deleted    []Object `json:"deleted"`         // in the order of their keys
	Bytes      int64    `json:"bytes"`           // of Deleted
	Tombstones []string `json:"tombstones"`      // builds that were deleted whole, newest first
	Cleaned    []string `json:"cleaned"`         // builds that lost artifacts, newest first
	Notes      []string `json:"notes,omitempty"` // what a person should know, one line each
}

// Run collects. A store that can't be asked about anything leaves everything as
// it was: nothing is deleted on half the knowledge.
//
// Errors: [fs.ErrNotExist] for a store without builds.json; [fs.ErrInvalid] for a
// policy that makes no sense; [errors.ErrUnsupported] for a store that can't list,
// write, or write under a condition. If objects could not be deleted, the report has
// those that were.
func Run(ctx context.Context, o Options) (Report, error) {
	if err := o.check(); err != nil {
		return Report{}, err
	}
	c := &collector{Options: o.withDefaults()}
	if err := c.scan(ctx); err != nil {
		return Report{}, err
	}
	if err := c.choose(ctx); err != nil {
		return Report{}, err
	}
	if o.Dry {
		c.foretell()
		return c.report, nil
	}
	if err := c.record(ctx); err != nil {
		return Report{}, err
	}
	err := c.sweep(ctx)
	return c.report, err
}

func (o Options) check() error {
	p := o.Policy
	for _, n := range []int64{int64(p.Builds.Newest), int64(p.Images.Newest), int64(p.Builds.NewerThan), int64(p.Images.NewerThan)} {
		if n < 0 {
			return fmt.Errorf("policy: %d is negative: %w", n, fs.ErrInvalid)
		}
	}
	if p.Grace != 0 && p.Grace < leastGrace {
		return fmt.Errorf("policy: grace of %v is shorter than %v, which uploads rely on: %w", p.Grace, leastGrace, fs.ErrInvalid)
	}
	if !o.Store.Properties().Lists {
		return fail("collect garbage", "name the store as s3://…", fmt.Errorf("the store can't list what it has: %w", errors.ErrUnsupported))
	}
	if _, ok := backend.As[backend.Writer](o.Store); !ok && !o.Dry {
		return fail("collect garbage", "name the store as s3://…", fmt.Errorf("the store is read-only: %w", errors.ErrUnsupported))
	}
	return nil
}

func (o Options) withDefaults() Options {
	if o.Parallel <= 0 {
		o.Parallel = 16
	}
	if o.Tell == nil {
		o.Tell = func(materialize.Event) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Policy.Grace == 0 {
		o.Policy.Grace = defaultGrace
	}
	return o
}

// A collector is one Run.
type collector struct {
	Options
	now     time.Time
	list    *index.Builds
	objects map[string][]backend.Info // by build id, or whatever the first part of the key is
	saved   time.Time                 // when builds.json.bak was written; zero if never
	leased  map[string]bool           // parts of the side objects' keys
	metas   map[string]*index.Meta    // by directory; nil for one that can't be used

	doomed  []index.Entry // builds that go whole
	cleaned []index.Entry // builds that lose artifacts
	victims []victim
	report  Report
}

// A victim is an object that is to go.
type victim struct {
	backend.Info
	id  string
	why string
}

func (c *collector) note(format string, args ...any) {
	c.report.Notes = append(c.report.Notes, fmt.Sprintf(format, args...))
}

func fail(op, hint string, err error) error {
	return materialize.Fail(materialize.ClassConfig, op, hint, err)
}
