package remote

import (
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are what https://prometheus.io collects. They have a registry of their
// own: there may be several doors in one process.
type metrics struct {
	registry *prometheus.Registry
	facts    facts
	requests *prometheus.CounterVec   // by door, method, code
	bytes    *prometheus.CounterVec   // by door
	duration *prometheus.HistogramVec // by door
	failed   prometheus.Counter
}

func newMetrics(cfg Config, c *conns, d doors) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		facts:    newFacts(cfg, d),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cosafs_http_requests_total", Help: "Requests that were answered.",
		}, []string{"door", "method", "code"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cosafs_http_response_bytes_total", Help: "Bytes of answers' bodies.",
		}, []string{"door"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "cosafs_http_request_duration_seconds", Help: "Time from a request's header to the end of its answer.",
			Buckets: []float64{.001, .005, .025, .1, .5, 2, 10, 60, 300, 1800}, // from a listing to a build
		}, []string{"door"}),
		failed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "cosafs_http_logins_failed_total", Help: "Requests with a login that was refused.",
		}),
	}
	m.registry.MustRegister(m.requests, m.bytes, m.duration, m.failed,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), buildInfo(cfg.Version),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "cosafs_http_waiting_for_builds", Help: "GETs that wait until what they ask for is built.",
		}, func() float64 { return float64(d.waiting()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "cosafs_http_connections", Help: "Open connections.",
		}, func() float64 { return float64(c.open.Load()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "cosafs_http_connections_refused_total", Help: "Connections that were too many.",
		}, func() float64 { return float64(c.refused.Load()) }),
	)
	return m
}

func buildInfo(version string) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "cosafs_build_info", Help: "The program that answers; always 1.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
	}, func() float64 { return 1 })
}

// count counts a request that was answered.
func (m *metrics) count(v *visit) {
	code := v.answer.status
	m.requests.WithLabelValues(v.door, methodLabel(v.r.Method), strconv.Itoa(code)).Inc()
	m.bytes.WithLabelValues(v.door).Add(float64(v.answer.bytes))
	m.duration.WithLabelValues(v.door).Observe(time.Since(v.started).Seconds())
	if code == http.StatusUnauthorized && v.r.Header.Get("Authorization") != "" {
		m.failed.Inc()
	}
}

// methodLabel keeps clients from making labels of their own.
func methodLabel(method string) string {
	known := []string{
		"GET", "HEAD", "OPTIONS", "PROPFIND", "POST", "PUT", "DELETE",
		"MKCOL", "COPY", "MOVE", "PROPPATCH", "LOCK", "UNLOCK", "PATCH",
	}
	if slices.Contains(known, method) {
		return method
	}
	return "other"
}

// ServeHTTP answers with all metrics as text, or as protobuf to who asks for it.
func (m *metrics) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	all := prometheus.Gatherers{m.registry, m.facts.gather(r.Context())}
	promhttp.HandlerFor(all, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}).ServeHTTP(w, r)
}
