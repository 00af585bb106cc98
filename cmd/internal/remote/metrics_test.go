package remote_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"cosafs/materialize"
	"cosafs/vfs/webui"
)

// scrape reads the metrics as Prometheus does.
func (w *world) scrape() map[string]*dto.MetricFamily {
	w.Helper()
	r := w.request(http.MethodGet, "/metrics", nil)
	r.SetBasicAuth("ann", "secret")
	resp, body := w.do(r)
	if resp.StatusCode != http.StatusOK {
		w.Fatalf("GET /metrics = %s %q", resp.Status, body)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	all, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if err != nil {
		w.Fatalf("metrics can't be parsed: %v", err)
	}
	return all
}

// value gives one metric: its labels are "name=value".
func value(t *testing.T, all map[string]*dto.MetricFamily, name string, labels ...string) float64 {
	t.Helper()
	for _, m := range all[name].GetMetric() {
		has := map[string]bool{}
		for _, l := range m.GetLabel() {
			has[l.GetName()+"="+l.GetValue()] = true
		}
		found := true
		for _, l := range labels {
			found = found && has[l]
		}
		if found {
			return m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	t.Errorf("no %s%v", name, labels)
	return -1
}

func TestMetrics(t *testing.T) {
	w := newWorld(t)
	synced := time.Unix(1_800_000_000, 0)
	w.cfg.Service = &service{
		jobs: []materialize.JobInfo{{State: materialize.JobRunning}, {State: materialize.JobFailed}, {State: materialize.JobFailed}},
		status: webui.Status{
			Cache: &webui.CacheStatus{Bytes: 7, Quota: 9, Pinned: 2, Objects: 1},
			Stores: []webui.StoreStatus{
				{Name: "s3://b", Builds: 5, Synced: synced},
				{Name: "s3://c", Problem: "no route"},
			},
		},
	}
	w.cfg.Htpasswd, w.cfg.Everybody = w.users("ann"), "reader"
	w.doors.Waiting = func() int { return 3 }
	w.start()
	w.get("/x", http.StatusOK)
	w.get("/41.1/secret/path", http.StatusOK)
	w.get("/v1/status", http.StatusOK)
	w.do(w.request(http.MethodHead, "/v1/status", nil))
	w.do(w.request("EVIL", "/x", nil))
	r := w.request(http.MethodGet, "/", nil)
	r.SetBasicAuth("ann", "wrong")
	w.do(r)
	all := w.scrape()
	for _, test := range []struct {
		name   string
		labels []string
		want   float64
	}{
		{"cosafs_http_requests_total", []string{"door=files", "method=GET", "code=200"}, 2},
		{"cosafs_http_requests_total", []string{"door=files", "method=GET", "code=401"}, 1},
		{"cosafs_http_requests_total", []string{"door=files", "method=other", "code=200"}, 1},
		{"cosafs_http_requests_total", []string{"door=api", "method=GET", "code=200"}, 1},
		{"cosafs_http_response_bytes_total", []string{"door=api"}, 3},
		{"cosafs_http_request_duration_seconds", []string{"door=files"}, 4},
		{"cosafs_http_waiting_for_builds", nil, 3},
		{"cosafs_http_connections_refused_total", nil, 0},
		{"cosafs_http_logins_failed_total", nil, 1},
		{"cosafs_jobs", []string{"state=running"}, 1},
		{"cosafs_jobs", []string{"state=failed"}, 2},
		{"cosafs_jobs", []string{"state=waiting"}, 0},
		{"cosafs_builds", nil, 2},
		{"cosafs_cache_bytes", nil, 7},
		{"cosafs_cache_quota_bytes", nil, 9},
		{"cosafs_store_builds", []string{"store=s3://b"}, 5},
		{"cosafs_store_synced_timestamp_seconds", []string{"store=s3://b"}, float64(synced.Unix())},
		{"cosafs_store_failing", []string{"store=s3://b"}, 0},
		{"cosafs_store_failing", []string{"store=s3://c"}, 1},
		{"cosafs_build_info", []string{"version=1.2"}, 1},
	} {
		if got := value(t, all, test.name, test.labels...); got != test.want {
			t.Errorf("%s%v = %v, want %v", test.name, test.labels, got, test.want)
		}
	}
	if n := value(t, all, "cosafs_http_connections"); n < 1 {
		t.Errorf("%v connections, while one asks", n)
	}
	if value(t, all, "go_goroutines") < 1 || value(t, all, "process_open_fds") < 1 {
		t.Error("nothing is told of the process")
	}
	for name, family := range all {
		if strings.Contains(family.String(), "secret") {
			t.Errorf("%s has a path in it", name)
		}
	}
}

// What can't be known now is missing, and the rest is there.
func TestMetricsWithoutService(t *testing.T) {
	w := newWorld(t)
	w.cfg.Service = &service{err: errors.New("index is being rebuilt")}
	w.start()
	all := w.scrape()
	if all["cosafs_jobs"] != nil || all["cosafs_cache_bytes"] != nil {
		t.Error("facts were made up")
	}
	if value(t, all, "cosafs_builds") != 2 || value(t, all, "cosafs_build_info") != 1 {
		t.Error("the rest is missing, too")
	}
}
