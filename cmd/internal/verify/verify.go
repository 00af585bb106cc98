// Package verify reads what a directory of builds, or a store, holds and compares
// it with what its meta.json files record, as cosa build-validate does for one
// build. It changes nothing.
package verify

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"cosafs/backend"
	"cosafs/cmd/internal/stores"
	"cosafs/index"
	"cosafs/materialize"
)

// Options say what to verify. Either Dir or Store is needed.
type Options struct {
	Dir   string        // a working directory, or its builds/
	Store backend.Store // instead of Dir

	Builds    []string // ids, or "latest" for the newest; nil = all that are listed
	Arches    []string // nil = all
	Artifacts []string // kinds; nil = all

	Uncompressed bool   // look into compressed images too: uncompressed-sha256
	Keyring      string // file of OpenPGP keys that signed every image; "" = signatures are not looked at

	Parallel int // images read at once; 0 = 4

	Tell func(materialize.Event) // progress, by one goroutine at a time; nil = nobody listens
}

// An Item is one file that a build should have.
type Item struct {
	Build   string `json:"build,omitempty"`
	Arch    string `json:"arch,omitempty"`
	Kind    string `json:"kind,omitempty"`    // of image; "" for other files
	Path    string `json:"path"`              // relative to the directory of builds.json
	Problem string `json:"problem,omitempty"` // "" if it is as recorded
}

// A Report says what was found. Each item is in one of the lists, in the order of
// builds.json and of meta.json.
type Report struct {
	Checked []Item `json:"checked"` // read whole, and as recorded
	Bad     []Item `json:"bad"`     // other bytes than recorded, no JSON, a signature that is missing or wrong
	Gone    []Item `json:"gone"`    // recorded, and provably not there: not fetched, or deleted
	Unknown []Item `json:"unknown"` // not to be read, or nothing is recorded to compare with; Problem says why
	Bytes   int64  `json:"bytes"`   // that were read
}

// Run verifies. What is wrong with the builds is in the report, and no error;
// errors are a builds.json that can't be read, builds, architectures and kinds
// that no list has (fs.ErrNotExist), and the end of ctx. The report then has what
// was found by then.
func Run(ctx context.Context, o Options) (Report, error) {
	v := &verifier{Options: o}
	if v.Parallel <= 0 {
		v.Parallel = 4
	}
	if v.Store == nil {
		dir, err := stores.OpenDir(o.Dir)
		if err != nil {
			return Report{}, materialize.Fail(materialize.ClassConfig, "verify "+o.Dir, "give a working directory or a store's URL", err)
		}
		defer func() { _ = dir.Close() }() // read only
		v.Store = dir
	}
	if v.Keyring != "" {
		keys, err := openKeyring(v.Keyring)
		if err != nil {
			return Report{}, err
		}
		defer func() { _ = keys.close() }() // a temporary directory
		v.keys = keys
	}
	return v.run(ctx)
}

// A verifier is one Run.
type verifier struct {
	Options
	keys  *keyring // nil = signatures are not looked at
	found []*finding
	meter meter
}

// A finding is an item with what came of it.
type finding struct {
	Item
	image index.Image
	kept  bool // the store's own policy still keeps it
	state state
}

type state int

const (
	pending state = iota // not looked at
	checked
	bad
	gone
	unknown
)

// is settles what came of an item.
func (f *finding) is(s state, format string, args ...any) {
	f.state, f.Problem = s, fmt.Sprintf(format, args...)
}

func (v *verifier) run(ctx context.Context) (Report, error) {
	v.meter.tell = v.Tell
	list, err := v.readList(ctx)
	if err != nil || list == nil {
		return v.report(), err
	}
	entries, err := v.choose(list)
	if err != nil {
		return v.report(), err
	}
	for _, e := range entries {
		if err := v.gather(ctx, list, e); err != nil {
			return v.report(), err
		}
	}
	if err := v.checkKinds(); err != nil {
		return v.report(), err
	}
	err = v.checkAll(ctx)
	return v.report(), err
}

// add begins a finding.
func (v *verifier) add(it Item) *finding {
	f := &finding{Item: it}
	v.found = append(v.found, f)
	return f
}

// checkAll looks at every image, several at a time.
func (v *verifier) checkAll(ctx context.Context) error {
	stop := v.meter.start(v.found)
	defer stop()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(v.Parallel)
	for _, f := range v.found {
		if f.state != pending {
			continue
		}
		g.Go(func() error {
			v.check(ctx, f)
			if ctx.Err() != nil {
				f.is(pending, "") // what came of it says nothing about the file
			}
			return ctx.Err()
		})
	}
	return g.Wait()
}

func (v *verifier) report() Report {
	r := Report{Bytes: v.meter.read.Load()}
	lists := map[state]*[]Item{checked: &r.Checked, bad: &r.Bad, gone: &r.Gone, unknown: &r.Unknown}
	for _, f := range v.found {
		if list := lists[f.state]; list != nil {
			*list = append(*list, f.Item)
		}
	}
	return r
}

// checkKinds refuses kinds that no build has.
func (v *verifier) checkKinds() error {
	var kinds []string
	for _, f := range v.found {
		kinds = append(kinds, f.Kind)
	}
	for _, kind := range v.Artifacts {
		if kind != "all" && !slices.Contains(kinds, kind) {
			return materialize.Fail(materialize.ClassConfig, "verify "+kind, "cosafs show tells what a build has",
				fmt.Errorf("none of the builds records it: %w", fs.ErrNotExist))
		}
	}
	return nil
}

// wants says whether a name was asked for; no names are all names.
func wants(names []string, name string) bool {
	return len(names) == 0 || slices.Contains(names, name) || slices.Contains(names, "all")
}

// problem gives the words of an error that stands in a report by itself.
func problem(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return materialize.OneLine(p.Err.Error())
	}
	return materialize.OneLine(strings.TrimSpace(err.Error()))
}
