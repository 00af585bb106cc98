package webui

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"syscall"

	"cosafs/materialize"
)

var (
	_ Service = (*Client)(nil)
	_ Mounter = (*Client)(nil)
	_ Keeper  = (*Client)(nil)
	_ Opener  = (*Client)(nil)

	_ Compressor = (*Client)(nil)
	_ Remaker    = (*Client)(nil)
)

// A Client talks to a daemon over its unix socket. It is safe for concurrent
// use. Cancelling a call's ctx ends the call on the daemon's side, too.
type Client struct {
	http *http.Client
}

// NewClient gives a client for the socket at path. It connects when it is
// used; where nothing listens the calls answer [ErrNoDaemon].
func NewClient(path string) *Client {
	return &Client{http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path)
		},
	}}}
}

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Status asks who is there.
func (c *Client) Status(ctx context.Context) (Status, error) {
	return call[Status](ctx, c, http.MethodGet, "/v1/status", nil)
}

// Builds lists the builds.
func (c *Client) Builds(ctx context.Context) ([]BuildInfo, error) {
	return call[[]BuildInfo](ctx, c, http.MethodGet, "/v1/builds", nil)
}

// Show gives one build.
func (c *Client) Show(ctx context.Context, id, arch string) (BuildInfo, error) {
	path := "/v1/builds/" + url.PathEscape(id) + "?" + url.Values{"arch": {arch}}.Encode()
	return call[BuildInfo](ctx, c, http.MethodGet, path, nil)
}

// Plan asks what opening path would do.
func (c *Client) Plan(ctx context.Context, path string) (materialize.Plan, error) {
	return call[materialize.Plan](ctx, c, http.MethodGet, "/v1/plan?"+url.Values{"path": {path}}.Encode(), nil)
}

// Jobs lists jobs.
func (c *Client) Jobs(ctx context.Context) ([]materialize.JobInfo, error) {
	return call[[]materialize.JobInfo](ctx, c, http.MethodGet, "/v1/jobs", nil)
}

// Build makes a build.
func (c *Client) Build(ctx context.Context, req BuildRequest, tell func(materialize.Event)) (res BuildResult, err error) {
	err = c.follow(ctx, "/v1/build", req, listener{tell: tell}, &res)
	return res, err
}

// Materialise makes the path's bytes exist.
func (c *Client) Materialise(ctx context.Context, path string, tell func(materialize.Event)) (res materialize.Result, err error) {
	err = c.follow(ctx, "/v1/materialise", pathRequest{Path: path}, listener{tell: tell}, &res)
	return res, err
}

// Log copies a job's log to w.
func (c *Client) Log(ctx context.Context, job string, follow bool, w io.Writer) error {
	var none struct{}
	return c.follow(ctx, "/v1/jobs/"+url.PathEscape(job)+"/log", logRequest{Follow: follow}, listener{log: w}, &none)
}

// Cancel ends a job.
func (c *Client) Cancel(ctx context.Context, job string) error {
	return c.do(ctx, "/v1/jobs/"+url.PathEscape(job)+"/cancel", nil)
}

// Retry forgets a failure.
func (c *Client) Retry(ctx context.Context, jobOrPath string) error {
	return c.do(ctx, "/v1/retry", pathRequest{Path: jobOrPath})
}

// Prune deletes builds.
func (c *Client) Prune(ctx context.Context, req PruneRequest) ([]materialize.BuildRef, error) {
	return call[[]materialize.BuildRef](ctx, c, http.MethodPost, "/v1/prune", req)
}

// Tag names a build.
func (c *Client) Tag(ctx context.Context, name, id string) error {
	return c.do(ctx, "/v1/tag", tagRequest{Name: name, ID: id})
}

// Untag takes a build's name away.
func (c *Client) Untag(ctx context.Context, name string) error {
	return c.do(ctx, "/v1/untag", tagRequest{Name: name})
}

// Compress compresses artifacts.
func (c *Client) Compress(ctx context.Context, req CompressRequest, tell func(materialize.Event)) (done []Compressed, err error) {
	err = c.follow(ctx, "/v1/compress", req, listener{tell: tell}, &done)
	return done, err
}

// Mount shows the tree at another place.
func (c *Client) Mount(ctx context.Context, req MountRequest) error {
	return c.do(ctx, "/v1/mount", req)
}

// Unmount takes the tree away from dir.
func (c *Client) Unmount(ctx context.Context, dir string) error {
	return c.do(ctx, "/v1/unmount", MountRequest{Dir: dir})
}

// Find looks for builds.
func (c *Client) Find(ctx context.Context, req FindRequest, tell func(materialize.Event)) (found []Found, err error) {
	err = c.follow(ctx, "/v1/find", req, listener{tell: tell}, &found)
	return found, err
}

// Diff compares two builds.
func (c *Client) Diff(ctx context.Context, req DiffRequest) (Diff, error) {
	return call[Diff](ctx, c, http.MethodPost, "/v1/diff", req)
}

// Sync has the stores asked.
func (c *Client) Sync(ctx context.Context, tell func(materialize.Event)) error {
	var none struct{}
	return c.follow(ctx, "/v1/sync", struct{}{}, listener{tell: tell}, &none)
}

// Pin keeps a path in the cache, or no longer.
func (c *Client) Pin(ctx context.Context, path string, pinned bool) error {
	return c.do(ctx, "/v1/pin", pinRequest{Path: path, Pinned: pinned})
}

// Serve opens remote doors in the daemon, which closes them when ctx ends.
func (c *Client) Serve(ctx context.Context, req ServeRequest, tell func(ServeInfo)) error {
	var none struct{}
	opened := false
	err := c.follow(ctx, "/v1/serve", req, listener{serving: func(info ServeInfo) {
		opened = true
		tell(info)
	}}, &none)
	if opened && ctx.Err() != nil {
		return nil // the end that was asked for
	}
	return err
}

// do is a POST whose answer is only success or failure.
func (c *Client) do(ctx context.Context, path string, body any) error {
	_, err := call[struct{}](ctx, c, http.MethodPost, path, body)
	return err
}

// call makes one request and decodes its answer.
func call[T any](ctx context.Context, c *Client, method, path string, body any) (T, error) {
	var v T
	resp, err := c.send(ctx, method, path, body)
	if err != nil {
		return v, err
	}
	defer closeBody(resp)
	if err := json.NewDecoder(resp.Body).Decode(&v); err != nil {
		return v, cutOff(err)
	}
	return v, nil
}

// follow makes one request and reads its stream to the end. The ctx's own
// error wins over that of the connection which it broke.
func (c *Client) follow(ctx context.Context, path string, body any, l listener, result any) error {
	resp, err := c.send(ctx, http.MethodPost, path, body)
	if err != nil {
		return err
	}
	defer closeBody(resp)
	err = readStream(resp.Body, l, result)
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// send makes one request; an answer that is an error becomes one.
func (c *Client) send(ctx context.Context, method, path string, body any) (*http.Response, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://cosafs"+path, bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, dialError(ctx, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer closeBody(resp)
	var w wireError
	if err := json.NewDecoder(resp.Body).Decode(&w); err != nil || w.Error == "" {
		return nil, fmt.Errorf("the daemon answered %s without a reason", resp.Status)
	}
	return nil, w.decode()
}

// dialError says in our words why no answer came: net/http's text names a URL
// that nobody typed.
func dialError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	// A daemon that dies takes connections until the kernel has closed its
	// socket; they end without an answer.
	for _, gone := range []error{syscall.ECONNREFUSED, os.ErrNotExist, syscall.ECONNRESET, syscall.EPIPE, io.EOF} {
		if errors.Is(err, gone) {
			return ErrNoDaemon
		}
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return fmt.Errorf("talk to the daemon: %w", err)
}

// closeBody ends the reading of an answer; what is left in it is of no interest.
func closeBody(resp *http.Response) { _ = resp.Body.Close() }
