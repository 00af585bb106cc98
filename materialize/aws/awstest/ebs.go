package awstest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
)

// blockSize is the size of a snapshot's blocks.
const blockSize = 512 << 10 // bytes

// A rest is a call of the EBS direct API.
type rest struct {
	name, snapshot string
	index          int64
	header         http.Header
	body           []byte
}

// routes are the calls of the API that are known here.
var routes = []struct {
	method string
	path   *regexp.Regexp
	action string
}{
	{"POST", regexp.MustCompile(`^/snapshots$`), "StartSnapshot"},
	{"PUT", regexp.MustCompile(`^/snapshots/(snap-[0-9a-f]+)/blocks/(\d+)$`), "PutSnapshotBlock"},
	{"POST", regexp.MustCompile(`^/snapshots/completion/(snap-[0-9a-f]+)$`), "CompleteSnapshot"},
}

// readREST reads a call.
func readREST(r *http.Request) (request, error) {
	for _, route := range routes {
		m := route.path.FindStringSubmatch(r.URL.Path)
		if m == nil || r.Method != route.method {
			continue
		}
		body, err := io.ReadAll(io.LimitReader(r.Body, blockSize+1))
		call := &rest{name: route.action, header: r.Header, body: body}
		if len(m) > 1 {
			call.snapshot = m[1]
		}
		if err == nil && len(m) > 2 {
			call.index, err = strconv.ParseInt(m[2], 10, 32)
		}
		return call, err
	}
	return nil, fmt.Errorf("no call of the EBS direct API: %s %s", r.Method, r.URL.Path)
}

func (q *rest) action() string { return q.name }

func (q *rest) do(c *Cloud, r *region) (any, *failure) {
	if q.name == "StartSnapshot" {
		return q.start(c, r)
	}
	s := r.snapshots[q.snapshot]
	switch {
	case s == nil:
		return nil, &failure{http.StatusNotFound, "ResourceNotFoundException", "no snapshot " + q.snapshot}
	case s.state != open:
		return nil, refuse("ValidationException", "the snapshot %s takes no blocks any more", s.ID)
	case q.header.Get("X-Amz-Checksum-Algorithm") != "SHA256":
		return nil, refuse("ValidationException", "a checksum of SHA256 is needed")
	case q.name == "PutSnapshotBlock":
		return q.put(s)
	}
	return q.complete(s)
}

// startInput is what StartSnapshot takes.
type startInput struct {
	ClientToken, Description string
	VolumeSize               int64
	Timeout                  int
	Tags                     []Tag
}

// start starts a snapshot, or gives the one of the token.
func (q *rest) start(c *Cloud, r *region) (any, *failure) {
	var in startInput
	if err := json.Unmarshal(q.body, &in); err != nil {
		return nil, refuse("ValidationException", "%v", err)
	}
	if in.VolumeSize < 1 || in.VolumeSize > 65536 || in.Timeout < 10 || in.Timeout > 4320 || len(in.ClientToken) > 255 {
		return nil, refuse("ValidationException", "size, timeout or token are out of their range")
	}
	id, bad := r.once(q.name, in.ClientToken, in, "ConflictException")
	if bad != nil {
		bad.status = http.StatusConflict
		return nil, bad
	}
	if id == "" {
		s := newSnapshot(c.id("snap"), open)
		s.Size, s.Description, s.Tags = in.VolumeSize, in.Description, tagMap(in.Tags)
		r.snapshots[s.ID], id = s, s.ID
		r.issue(q.name, in.ClientToken, in, id)
	}
	return map[string]any{"SnapshotId": id, "BlockSize": blockSize, "Status": "pending", "VolumeSize": in.VolumeSize}, nil
}

// put takes a block.
func (q *rest) put(s *snapshot) (any, *failure) {
	sum := sha256.Sum256(q.body)
	text := base64.StdEncoding.EncodeToString(sum[:])
	switch {
	case len(q.body) != blockSize, q.header.Get("X-Amz-Data-Length") != strconv.Itoa(blockSize):
		return nil, refuse("ValidationException", "a block has %d bytes, not %d", blockSize, len(q.body))
	case q.header.Get("X-Amz-Checksum") != text:
		return nil, refuse("ValidationException", "the checksum of block %d doesn't match its data", q.index)
	case q.index >= s.Size<<30/blockSize:
		return nil, refuse("ValidationException", "block %d is past the end of %d GiB", q.index, s.Size)
	}
	s.Blocks[q.index] = q.body
	return map[string]any{}, nil
}

// complete ends the writing, if count and checksum are those of the blocks.
func (q *rest) complete(s *snapshot) (any, *failure) {
	all := sha256.New()
	for _, index := range slices.Sorted(maps.Keys(s.Blocks)) {
		sum := sha256.Sum256(s.Blocks[index])
		_, _ = all.Write(sum[:]) // a hash takes all
	}
	text := base64.StdEncoding.EncodeToString(all.Sum(nil))
	switch {
	case q.header.Get("X-Amz-Changedblockscount") != strconv.Itoa(len(s.Blocks)):
		return nil, refuse("ValidationException", "the snapshot has %d blocks", len(s.Blocks))
	case q.header.Get("X-Amz-Checksum-Aggregation-Method") != "LINEAR", q.header.Get("X-Amz-Checksum") != text:
		return nil, refuse("ValidationException", "the checksum over all blocks doesn't match")
	}
	s.state = pending
	return map[string]string{"Status": "pending"}, nil
}

func (q *rest) reply(w http.ResponseWriter, out any) {
	w.Header().Set("Content-Type", "application/json")
	if q.name == "PutSnapshotBlock" {
		w.Header().Set("X-Amz-Checksum", q.header.Get("X-Amz-Checksum"))
		w.Header().Set("X-Amz-Checksum-Algorithm", "SHA256")
	}
	status := map[string]int{"CompleteSnapshot": http.StatusAccepted}[q.name]
	w.WriteHeader(max(status, http.StatusCreated))
	_ = json.NewEncoder(w).Encode(out) // the client went
}

func (q *rest) fail(w http.ResponseWriter, bad *failure) {
	code := bad.code
	if code == "UnauthorizedOperation" {
		code = "AccessDeniedException" // as EBS has it
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Amzn-Errortype", code)
	w.WriteHeader(bad.status)
	_ = json.NewEncoder(w).Encode(map[string]string{"Message": bad.message}) // the client went
}
