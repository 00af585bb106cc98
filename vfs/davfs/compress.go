package davfs

import (
	"compress/gzip"
	"io"
	"net/http"
	"strings"
)

// zipFrom is how many entries make an answer worth compressing (by about 25).
const zipFrom = 64

// multistatusBody starts an answer of so many entries. The caller writes it to
// out, then calls end.
func (d *Door) multistatusBody(w http.ResponseWriter, r *http.Request, entries int) (out io.Writer, end func() error) {
	h := w.Header()
	h.Set("Content-Type", contentTypeXML)
	h.Set("DAV", "1")
	h.Add("Vary", "Accept-Encoding")
	if entries < zipFrom || !acceptsGzip(r.Header.Values("Accept-Encoding")) {
		w.WriteHeader(http.StatusMultiStatus)
		return w, func() error { return nil }
	}
	h.Set("Content-Encoding", "gzip")
	w.WriteHeader(http.StatusMultiStatus)
	zip, ok := d.zips.Get().(*gzip.Writer)
	if !ok {
		zip, _ = gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is a right one
	}
	zip.Reset(w)
	return zip, func() error {
		defer d.zips.Put(zip)
		return zip.Close()
	}
}

// acceptsGzip reads Accept-Encoding (RFC 9110 12.5.3).
func acceptsGzip(values []string) bool {
	for coding := range strings.SplitSeq(strings.Join(values, ","), ",") {
		name, weight, _ := strings.Cut(coding, ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			q := strings.TrimLeft(strings.TrimSpace(weight), "qQ= \t")
			return strings.Trim(q, "0.") != "" || q == ""
		}
	}
	return false
}
