package webui

import (
	"context"
	"net/http"

	"cosafs/materialize"
	"cosafs/vfs/access"
)

// statusRoutes say what there is.
func statusRoutes(s Service) []route {
	return []route{
		reading("/v1/openapi.json", http.HandlerFunc(serveDocument)),
		reading("/v1/status", answer(func(r *http.Request) (Status, error) {
			st, err := s.Status(r.Context())
			st.Jobs = orEmpty(st.Jobs)
			return st, err
		})),
		reading("/v1/builds", listBuilds(s)),
		reading("/v1/builds/{id}", answer(func(r *http.Request) (BuildInfo, error) {
			return s.Show(r.Context(), r.PathValue("id"), r.URL.Query().Get("arch"))
		})),
		reading("/v1/plan", answer(func(r *http.Request) (materialize.Plan, error) {
			return s.Plan(r.Context(), r.URL.Query().Get("path"))
		})),
	}
}

// jobRoutes say what goes on. A job's log has a POST, too: its stream tells an
// error after the log has begun, and so do clients of the socket.
func jobRoutes(s Service) []route {
	return []route{
		reading("/v1/jobs", answer(func(r *http.Request) ([]materialize.JobInfo, error) {
			jobs, err := s.Jobs(r.Context())
			return orEmpty(jobs), err
		})),
		reading("/v1/jobs/{id}", answer(func(r *http.Request) (materialize.JobInfo, error) {
			return FindJob(r.Context(), s, r.PathValue("id"))
		})),
		reading("/v1/jobs/{id}/log", logText(s)),
		reading("/v1/jobs/{id}/events", newEvents(s)),
		doing(access.Reader, "/v1/jobs/{id}/log", streamRequest(func(r *http.Request, req logRequest, out *streamer) (any, error) {
			return struct{}{}, s.Log(r.Context(), r.PathValue("id"), req.Follow, out)
		})),
	}
}

// workRoutes start and end jobs.
func workRoutes(s Service) []route {
	return []route{
		doing(access.Builder, "/v1/build", startable(
			func(ctx context.Context, req BuildRequest, out *streamer) (any, error) {
				return s.Build(ctx, req, out.tell)
			},
			func(ctx context.Context, req BuildRequest) (string, any, error) { return startBuild(ctx, s, req) })),
		doing(access.Builder, "/v1/materialise", startable(
			func(ctx context.Context, req pathRequest, out *streamer) (any, error) {
				return s.Materialise(ctx, req.Path, out.tell)
			},
			func(ctx context.Context, req pathRequest) (string, any, error) { return startPath(ctx, s, req.Path) })),
		doing(access.Builder, "/v1/jobs/{id}/cancel", answer(func(r *http.Request) (struct{}, error) {
			return struct{}{}, s.Cancel(r.Context(), r.PathValue("id"))
		})),
		doing(access.Builder, "/v1/retry", accept(func(ctx context.Context, req pathRequest) (struct{}, error) {
			return struct{}{}, s.Retry(ctx, req.Path)
		})),
	}
}

// changeRoutes change builds.
func changeRoutes(s Service) []route {
	return []route{
		doing(access.Admin, "/v1/prune", accept(func(ctx context.Context, req PruneRequest) ([]materialize.BuildRef, error) {
			gone, err := s.Prune(ctx, req)
			return orEmpty(gone), err
		})),
		doing(access.Admin, "/v1/tag", accept(func(ctx context.Context, req tagRequest) (struct{}, error) {
			return struct{}{}, s.Tag(ctx, req.Name, req.ID)
		})),
		doing(access.Admin, "/v1/untag", accept(func(ctx context.Context, req tagRequest) (struct{}, error) {
			return struct{}{}, s.Untag(ctx, req.Name)
		})),
	}
}

// keeperRoutes are the calls of a [Keeper].
func keeperRoutes(k Keeper) []route {
	return []route{
		doing(access.Reader, "/v1/find", stream(func(ctx context.Context, req FindRequest, out *streamer) (any, error) {
			found, err := k.Find(ctx, req, out.tell)
			return orEmpty(found), err
		})),
		doing(access.Reader, "/v1/diff", accept(k.Diff)),
		doing(access.Admin, "/v1/sync", stream(func(ctx context.Context, _ struct{}, out *streamer) (any, error) {
			return struct{}{}, k.Sync(ctx, out.tell)
		})),
		doing(access.Admin, "/v1/pin", accept(func(ctx context.Context, req pinRequest) (struct{}, error) {
			return struct{}{}, k.Pin(ctx, req.Path, req.Pinned)
		})),
	}
}

// compressorRoute is the call of a [Compressor].
func compressorRoute(c Compressor) route {
	return doing(access.Admin, "/v1/compress", stream(func(ctx context.Context, req CompressRequest, out *streamer) (any, error) {
		done, err := c.Compress(ctx, req, out.tell)
		return orEmpty(done), err
	}))
}

// mounterRoutes are the calls of a [Mounter].
func mounterRoutes(m Mounter) []route {
	return []route{
		ownOnly("/v1/mount", accept(func(ctx context.Context, req MountRequest) (struct{}, error) {
			return struct{}{}, m.Mount(ctx, req)
		})),
		ownOnly("/v1/unmount", accept(func(ctx context.Context, req MountRequest) (struct{}, error) {
			return struct{}{}, m.Unmount(ctx, req.Dir)
		})),
	}
}

// openerRoute is the call of an [Opener]. It streams for as long as the door is
// open.
func openerRoute(o Opener) route {
	return ownOnly("/v1/serve", stream(func(ctx context.Context, req ServeRequest, out *streamer) (any, error) {
		return struct{}{}, serveDoor(ctx, o, req, out.serving)
	}))
}

// The bodies of calls whose Go form has plain arguments.
type (
	pathRequest struct {
		Path string `json:"path"`
	}
	pinRequest struct {
		Path   string `json:"path"`
		Pinned bool   `json:"pinned"`
	}
	logRequest struct {
		Follow bool `json:"follow,omitempty"`
	}
	tagRequest struct {
		Name string `json:"name"`
		ID   string `json:"id,omitempty"`
	}
)
