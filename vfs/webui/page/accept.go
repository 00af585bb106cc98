package page

import (
	"mime"
	"strconv"
	"strings"
)

// wantsJSON says whether an Accept header (RFC 9110, 12.5.1) asks for JSON rather
// than for a page. Who takes anything gets the page, as browsers do, and curl.
func wantsJSON(accept string) bool {
	return quality(accept, "application/json") > quality(accept, "text/html")
}

// quality is how much the header wants a type by its name; wildcards name none.
func quality(accept, typ string) float64 {
	best := 0.0
	for part := range strings.SplitSeq(accept, ",") {
		name, params, err := mime.ParseMediaType(part)
		if err != nil || name != typ {
			continue
		}
		q, err := strconv.ParseFloat(params["q"], 64)
		if err != nil || !(q >= 0 && q <= 1) { // NaN, too
			q = 1
		}
		best = max(best, q)
	}
	return best
}
