// Package awstest is an EC2 and EBS in the process, for tests: the calls that
// cosafs/materialize/aws sends, in the protocols of AWS (EC2 query, EBS REST). It is
// strict: states change only as those of AWS do and take a few looks to, blocks have
// to match their checksums, client tokens and names are taken once.
//
// It checks no signatures and no permissions, and its accounts are one.
package awstest

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// A Fault is what happens to a call instead of an answer.
type Fault int

// The faults.
const (
	None     Fault = iota
	Throttle       // the call isn't done, the answer says to come back later
	Refuse         // the call isn't done, the answer says that AWS has a fault
	Drop           // the call isn't done, the connection breaks
	Cut            // the call is done, the connection breaks before the answer
	Deny           // the call isn't done, the answer says that it isn't allowed
)

// A Call is one call that came in.
type Call struct {
	Region, Action string
	// N counts the calls of the action in all regions, from 1.
	N int
}

// A Cloud is all regions of one account. It is an http.Handler, safe for concurrent
// use.
type Cloud struct {
	// Fault, if set before the first call, says what happens to a call. It is
	// called outside of all locks and may take its time.
	Fault func(Call) Fault
	// Looks is how often something is seen as pending after it was finished; set
	// before the first call.
	Looks int
	// Regions are those that the account has; set before the first call. Calls to
	// others are answered as well.
	Regions []string

	mu      sync.Mutex // of all below
	regions map[string]*region
	counts  map[string]int
	ids     int
}

// A region is what lies in a region.
type region struct {
	name      string
	snapshots map[string]*snapshot
	images    map[string]*image
	imports   map[string]*importTask
	tokens    map[string]issued // of client tokens, by action and token
}

// issued is what a client token stands for.
type issued struct{ params, id string }

// New gives an empty cloud.
func New() *Cloud {
	return &Cloud{Looks: 2, regions: map[string]*region{}, counts: map[string]int{}}
}

// Config is the configuration of clients that talk to a cloud served at url. They
// try a call ten times, without pauses.
func Config(url string, client sdk.HTTPClient) sdk.Config {
	return sdk.Config{
		BaseEndpoint: &url,
		HTTPClient:   client,
		Credentials:  credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
		Retryer: func() sdk.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.MaxAttempts, o.MaxBackoff, o.RateLimiter = 10, 1, ratelimit.None // ns
			})
		},
	}
}

// scope finds the region and the service that a call was signed for.
var scope = regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=[^/]+/\d{8}/([a-z0-9-]+)/(ec2|ebs)/aws4_request,`)

// ServeHTTP answers one call.
func (c *Cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m := scope.FindStringSubmatch(r.Header.Get("Authorization"))
	if m == nil {
		http.Error(w, "the call is not signed for ec2 or ebs", http.StatusForbidden)
		return
	}
	var call request
	var err error
	if m[2] == "ec2" {
		call, err = readQuery(r)
	} else {
		call, err = readREST(r)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	fault := c.faultOf(m[1], call.action())
	if bad := fault.failure(); bad != nil {
		call.fail(w, bad)
		return
	}
	if fault != Drop {
		c.answer(w, m[1], call, fault)
	}
	if fault == Drop || fault == Cut {
		panic(http.ErrAbortHandler)
	}
}

// answer does a call, and answers unless the answer is to be lost.
func (c *Cloud) answer(w http.ResponseWriter, name string, call request, fault Fault) {
	c.mu.Lock()
	out, bad := call.do(c, c.region(name))
	c.mu.Unlock()
	switch {
	case fault == Cut:
	case bad != nil:
		call.fail(w, bad)
	default:
		call.reply(w, out)
	}
}

// A request is a call in one of the two protocols.
type request interface {
	action() string
	do(c *Cloud, r *region) (out any, bad *failure) // under the cloud's lock
	reply(w http.ResponseWriter, out any)
	fail(w http.ResponseWriter, bad *failure)
}

// A failure is an error as AWS answers it.
type failure struct {
	status        int
	code, message string
}

// refuse makes a failure that blames the caller.
func refuse(code, format string, args ...any) *failure {
	return &failure{http.StatusBadRequest, code, fmt.Sprintf(format, args...)}
}

// failure is the answer that a fault stands for, nil for none.
func (f Fault) failure() *failure {
	switch f {
	case Throttle:
		return &failure{http.StatusServiceUnavailable, "RequestThrottledException", "come back later"}
	case Refuse:
		return &failure{http.StatusInternalServerError, "InternalError", "an error of the cloud"}
	case Deny:
		return &failure{http.StatusForbidden, "UnauthorizedOperation", "you are not allowed to do that"}
	}
	return nil
}

// faultOf counts a call and asks for its fault.
func (c *Cloud) faultOf(region, action string) Fault {
	c.mu.Lock()
	c.counts[action]++
	n := c.counts[action]
	c.mu.Unlock()
	if c.Fault == nil {
		return None
	}
	return c.Fault(Call{region, action, n})
}

// Count says how many calls of an action came in.
func (c *Cloud) Count(action string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts[action]
}

// region gives a region; c.mu is held.
func (c *Cloud) region(name string) *region {
	if c.regions[name] == nil {
		c.regions[name] = &region{
			name: name, snapshots: map[string]*snapshot{}, images: map[string]*image{},
			imports: map[string]*importTask{}, tokens: map[string]issued{},
		}
	}
	return c.regions[name]
}

// id makes an id; c.mu is held.
func (c *Cloud) id(kind string) string {
	c.ids++
	return fmt.Sprintf("%s-%017x", kind, c.ids)
}

// once gives what a token stands for. The same token with other parameters is a
// mismatch.
func (r *region) once(action, token string, params any, mismatch string) (id string, bad *failure) {
	had, ok := r.tokens[action+" "+token]
	if !ok || token == "" {
		return "", nil
	}
	if had.params != fmt.Sprint(params) {
		return "", refuse(mismatch, "the client token %s was used with other parameters", token)
	}
	return had.id, nil
}

// issue notes what a token stands for.
func (r *region) issue(action, token string, params any, id string) {
	r.tokens[action+" "+token] = issued{fmt.Sprint(params), id}
}

// sortedIDs gives a map's keys in the order in which they were made.
func sortedIDs[T any](m map[string]T) []string {
	ids := make([]string, 0, len(m))
	for id := range m {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, strings.Compare)
	return ids
}
