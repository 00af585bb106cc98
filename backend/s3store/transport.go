package s3store

import (
	"net/http"

	"cosafs/backend/internal/httplink"
)

// transport sets up the connections of one store. They are kept for reuse by as
// many requests as may run at once, and a few more. The SDK's own time-out counts
// what is read only.
func transport(tr *http.Transport, cfg Config) *http.Transport {
	tr.MaxIdleConnsPerHost = cfg.Parallel + 4
	tr.MaxIdleConns = max(tr.MaxIdleConns, tr.MaxIdleConnsPerHost)
	tr.DialContext = httplink.Dial(httplink.DialTimeout, cfg.Timeout)
	return tr
}
