package webui

import (
	"context"

	"cosafs/materialize"
	"cosafs/vfs/access"
)

// A Remaker is a [Service] that can make artifacts again that are recorded.
// [Handler] offers the call only where its service is one.
type Remaker interface {
	// Remake makes the path's artifact again, whatever is recorded: others than the
	// recorded bytes take their place. The result says so if the same came out.
	Remake(ctx context.Context, path string, tell func(materialize.Event)) (materialize.Result, error)
}

// remakerRoute is the call of a [Remaker].
func remakerRoute(m Remaker) route {
	return doing(access.Builder, "/v1/remake", stream(func(ctx context.Context, req pathRequest, out *streamer) (any, error) {
		return m.Remake(ctx, req.Path, out.tell)
	}))
}

// Remake makes the path's artifact again.
func (c *Client) Remake(ctx context.Context, path string, tell func(materialize.Event)) (res materialize.Result, err error) {
	err = c.follow(ctx, "/v1/remake", pathRequest{Path: path}, listener{tell: tell}, &res)
	return res, err
}
