package scratch

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A lockInfo is the body of LOCK (RFC 4918 section 14.11). x/net/webdav refuses
// shared locks before it asks its lock system, so LOCK is answered here.
type lockInfo struct {
	XMLName   xml.Name  `xml:"DAV: lockinfo"`
	Exclusive *struct{} `xml:"DAV: lockscope>exclusive"`
	Shared    *struct{} `xml:"DAV: lockscope>shared"`
	Write     *struct{} `xml:"DAV: locktype>write"`
	Owner     ownerXML  `xml:"DAV: owner"`
}

// maxOwner bounds what is remembered of a lock's owner.
const maxOwner = 8 << 10

// An ownerXML is the owner's text with all name spaces said where they are
// used, so that it can stand in another document.
type ownerXML string

// UnmarshalXML writes the element's content anew.
func (o *ownerXML) UnmarshalXML(d *xml.Decoder, start xml.StartElement) error {
	var b bytes.Buffer
	e := xml.NewEncoder(&b)
	for depth := 1; ; {
		token, err := d.Token()
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.StartElement:
			depth++
			token = xml.StartElement{Name: t.Name}
		case xml.EndElement:
			if depth--; depth == 0 {
				err := e.Close()
				*o = ownerXML(b.String())
				return err
			}
		case xml.CharData:
		default:
			continue
		}
		if err := e.EncodeToken(token); err != nil {
			return fmt.Errorf("%s: %w", start.Name.Local, err)
		}
	}
}

// parseLock reads what lock is wanted.
func (s *session) parseLock(body []byte) (*lock, error) {
	var want lockInfo
	if err := xml.Unmarshal(body, &want); err != nil || want.Write == nil || (want.Exclusive == nil) == (want.Shared == nil) {
		return nil, refuse(http.StatusBadRequest, "the body asks for no write lock")
	}
	if len(want.Owner) > maxOwner {
		return nil, refuse(http.StatusRequestEntityTooLarge, "the owner is too long")
	}
	depth := strings.ToLower(s.r.Header.Get("Depth"))
	if depth != "" && depth != "0" && depth != "infinity" {
		return nil, refuse(http.StatusBadRequest, "Depth: a lock has 0 or infinity")
	}
	return &lock{root: s.name, deep: depth != "0", shared: want.Shared != nil, owner: string(want.Owner), user: s.caller.Name}, nil
}

// parseTimeout reads the Timeout header (RFC 4918 section 10.7): the first wish
// that can be read counts, and no lock lasts longer than [maxTimeout].
func parseTimeout(header string) (time.Duration, error) {
	if header == "" {
		return defaultTimeout, nil
	}
	for wish := range strings.SplitSeq(header, ",") {
		wish = strings.TrimSpace(wish)
		if strings.EqualFold(wish, "Infinite") {
			return maxTimeout, nil
		}
		seconds, ok := strings.CutPrefix(wish, "Second-")
		if n, err := strconv.ParseUint(seconds, 10, 32); ok && err == nil {
			return max(time.Second, min(time.Duration(n)*time.Second, maxTimeout)), nil
		}
	}
	return 0, refuse(http.StatusBadRequest, "Timeout: neither Infinite nor Second-N")
}
