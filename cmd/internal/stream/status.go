package stream

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"cosafs/materialize"
	"cosafs/vfs/webui"
)

// Status implements [vfs.Library]: which stores there are and how they
// answered, what is cached, what runs, and what is left out of the tree.
func (l library) Status() []byte {
	var b bytes.Buffer
	for _, st := range l.storeStatus() {
		fmt.Fprintf(&b, "store %s: %d builds, %s", st.Name, st.Builds, asked(st.Synced))
		if st.Problem != "" {
			fmt.Fprintf(&b, ": %s", st.Problem)
		}
		b.WriteByte('\n')
	}
	u := l.cache.Usage()
	fmt.Fprintf(&b, "cache: %d of %d bytes, %d pinned, %d objects\n", u.Bytes, u.Quota, u.Pinned, u.Objects)
	for _, j := range l.runner.Jobs() {
		fmt.Fprintln(&b, j.Line())
	}
	problems := l.current().problems
	for _, id := range slices.Sorted(maps.Keys(problems)) {
		fmt.Fprintf(&b, "build %s: %s\n", id, problems[id])
	}
	for _, src := range l.sources {
		for _, err := range src.asking().troubles {
			fmt.Fprintf(&b, "store %s: %s\n", src.name, materialize.OneLine(err.Error()))
		}
	}
	return b.Bytes()
}

func asked(t time.Time) string {
	if t.IsZero() {
		return "never asked"
	}
	return "asked " + t.UTC().Format(time.RFC3339)
}

// storeStatus describes every store.
func (s *Stream) storeStatus() []webui.StoreStatus {
	f := s.current()
	list := make([]webui.StoreStatus, len(s.sources))
	for i, src := range s.sources {
		st := webui.StoreStatus{Name: src.name, Builds: f.counts[src.name], Synced: src.asking().synced}
		if st.Synced.IsZero() {
			st.Synced = f.synced[src.name]
		}
		if err := src.silent(); err != nil {
			st.Problem = err.Error()
		}
		list[i] = st
	}
	return list
}

// Status implements [webui.Service].
func (s *Stream) Status(context.Context) (webui.Status, error) {
	u := s.cache.Usage()
	return webui.Status{
		Version: s.cfg.Version, PID: os.Getpid(), Started: s.started,
		Jobs:   slices.DeleteFunc(s.runner.Jobs(), func(j materialize.JobInfo) bool { return !j.Active() }),
		Stores: s.storeStatus(),
		Cache:  &webui.CacheStatus{Bytes: u.Bytes, Quota: u.Quota, Pinned: u.Pinned, Objects: u.Objects},
	}, nil
}
