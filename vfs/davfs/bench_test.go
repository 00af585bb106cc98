package davfs_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"cosafs/vfs/davfs"
)

// BenchmarkPropfind lists a root of ten thousand builds. cpu-ms/op is what counts
// on a machine that does other things, too.
func BenchmarkPropfind(b *testing.B) {
	d, _ := door(b, builds(10000), davfs.Config{})
	for _, c := range []struct{ name, body, coding string }{
		{"allprop", all, "identity"},
		{"allprop", all, "gzip"},
		{"rclone", some("<D:displayname/><D:getlastmodified/><D:getcontentlength/><D:resourcetype/>"), "identity"},
		{"rclone", some("<D:displayname/><D:getlastmodified/><D:getcontentlength/><D:resourcetype/>"), "gzip"},
		{"own", some("<D:resourcetype/><c:state/><c:size/><c:fileid/>"), "identity"},
	} {
		b.Run(c.name+"/"+c.coding, func(b *testing.B) {
			b.ReportAllocs()
			before, w := cpuTime(b), &discard{}
			for b.Loop() {
				r := httptest.NewRequestWithContext(b.Context(), "PROPFIND", "/", strings.NewReader(c.body))
				r.Header.Set("Depth", "1")
				r.Header.Set("Accept-Encoding", c.coding)
				*w = discard{header: http.Header{}}
				d.ServeHTTP(w, r)
			}
			if w.status != http.StatusMultiStatus {
				b.Fatal(w.status)
			}
			b.ReportMetric(float64(cpuTime(b)-before)/1e6/float64(b.N), "cpu-ms/op")
			b.ReportMetric(float64(w.bytes), "bytes")
		})
	}
}

// cpuTime is what this process used, in nanoseconds.
func cpuTime(b *testing.B) int64 {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// discard counts an answer.
type discard struct {
	header        http.Header
	status, bytes int
}

func (d *discard) Header() http.Header    { return d.header }
func (d *discard) WriteHeader(status int) { d.status = status }
func (d *discard) Write(p []byte) (int, error) {
	d.bytes += len(p)
	return len(p), nil
}
