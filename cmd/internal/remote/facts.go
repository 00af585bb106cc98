package remote

import (
	"context"
	"io/fs"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"cosafs/materialize"
	"cosafs/vfs"
	"cosafs/vfs/webui"
)

// facts are metrics of the service rather than of the door. They are asked for
// when somebody wants to know; nothing of that costs a request to a store.
type facts struct {
	service webui.Service
	root    vfs.Dir
	log     *slog.Logger

	jobs, builds, bytes, pinned, quota, objects, storeBuilds, storeSynced, storeFailing *prometheus.Desc
}

func newFacts(cfg Config, d doors) facts {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("cosafs_"+name, help, labels, nil)
	}
	return facts{
		service: cfg.Service, root: d.root, log: cfg.Logger,
		jobs:         desc("jobs", "Jobs that are remembered.", "state"),
		builds:       desc("builds", "Builds that are listed."),
		bytes:        desc("cache_bytes", "Bytes in the cache."),
		pinned:       desc("cache_pinned_bytes", "Bytes in the cache that stay there."),
		quota:        desc("cache_quota_bytes", "Bytes that the cache may take."),
		objects:      desc("cache_objects", "Files in the cache."),
		storeBuilds:  desc("store_builds", "Builds that a store has.", "store"),
		storeSynced:  desc("store_synced_timestamp_seconds", "When a store was last asked with success; 0 = never.", "store"),
		storeFailing: desc("store_failing", "1 if a store could not be asked the last time.", "store"),
	}
}

// gather gives the facts as they are now. Those that can't be had are left out:
// a gap is how a graph says so.
func (f facts) gather(ctx context.Context) prometheus.Gatherer {
	r := prometheus.NewRegistry()
	var list collected
	add := func(d *prometheus.Desc, v float64, labels ...string) {
		list = append(list, prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...))
	}
	f.addBuilds(ctx, add)
	f.addJobs(ctx, add)
	f.addStatus(ctx, add)
	r.MustRegister(list)
	return r
}

type adder func(d *prometheus.Desc, v float64, labels ...string)

// addBuilds counts the directories at the top, which are builds but for two.
func (f facts) addBuilds(ctx context.Context, add adder) {
	entries, err := f.root.Entries(ctx)
	if err != nil {
		f.log.Warn("metrics: list builds", "err", err)
		return
	}
	n := 0
	for _, e := range entries {
		if e.Mode.Type() == fs.ModeDir && e.Name != "next" && e.Name != ".cosafs" {
			n++
		}
	}
	add(f.builds, float64(n))
}

func (f facts) addJobs(ctx context.Context, add adder) {
	jobs, err := f.service.Jobs(ctx)
	if err != nil {
		f.log.Warn("metrics: list jobs", "err", err)
		return
	}
	count := map[materialize.JobState]int{
		materialize.JobWaiting: 0, materialize.JobRunning: 0, materialize.JobDone: 0, materialize.JobFailed: 0, materialize.JobCancelled: 0,
	}
	for _, j := range jobs {
		count[j.State]++
	}
	for state, n := range count {
		add(f.jobs, float64(n), string(state))
	}
}

func (f facts) addStatus(ctx context.Context, add adder) {
	status, err := f.service.Status(ctx)
	if err != nil {
		f.log.Warn("metrics: ask status", "err", err)
		return
	}
	if c := status.Cache; c != nil {
		add(f.bytes, float64(c.Bytes))
		add(f.pinned, float64(c.Pinned))
		add(f.quota, float64(c.Quota))
		add(f.objects, float64(c.Objects))
	}
	for _, s := range status.Stores {
		synced, failing := 0.0, 0.0
		if !s.Synced.IsZero() {
			synced = float64(s.Synced.Unix())
		}
		if s.Problem != "" {
			failing = 1
		}
		add(f.storeBuilds, float64(s.Builds), s.Name)
		add(f.storeSynced, synced, s.Name)
		add(f.storeFailing, failing, s.Name)
	}
}

// collected are metrics that were asked for already.
type collected []prometheus.Metric

var _ prometheus.Collector = collected(nil)

// Describe says nothing: the metrics differ with what is known.
func (collected) Describe(chan<- *prometheus.Desc) {}

// Collect gives the metrics.
func (c collected) Collect(to chan<- prometheus.Metric) {
	for _, m := range c {
		to <- m
	}
}
