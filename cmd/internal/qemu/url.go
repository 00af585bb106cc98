package qemu

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"path"

	"cosafs/materialize"
)

// How qemu reads URLs.
const (
	// readTimeout is for one request, in seconds: qemu's own 5 s is too short for a
	// door that has to make the image first.
	readTimeout = 1800
	// readahead is in bytes, and qemu may take it eight times. The driver of qemu
	// 7.2 may stop for good when it has several requests at a time, so that few
	// large ones are better.
	readahead = 64 << 20
)

// openURL gives a remote image as a media: qemu reads what the machine reads.
// The server is asked first, as qemu's words for what is wrong are few.
func openURL(ctx context.Context, u *url.URL) (*Media, error) {
	m := &Media{Name: u.Redacted()}
	if err := m.describe(path.Base(u.Path)); err != nil {
		return nil, err
	}
	size, err := ask(ctx, u)
	if err != nil {
		return nil, err
	}
	ahead := int64(readahead)
	if size > 0 {
		ahead = min(ahead, (size+511)/512*512) // whole sectors
	}
	m.node = map[string]any{"driver": u.Scheme, "url": u.String(), "timeout": readTimeout, "readahead": ahead}
	return m, nil
}

// ask gives the size in bytes of what is at the URL, -1 where the server does
// not say it. It goes by HEAD, as qemu does.
func ask(ctx context.Context, u *url.URL) (int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, u.String(), http.NoBody)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", u.Redacted(), err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		return 0, materialize.Fail(materialize.ClassNetwork, op, "", err)
	}
	_ = res.Body.Close() // there is none
	if res.StatusCode == http.StatusOK {
		return res.ContentLength, nil
	}
	err = fmt.Errorf("%s: %s", u.Redacted(), res.Status)
	switch res.StatusCode {
	case http.StatusNotFound, http.StatusGone:
		err = errors.Join(err, fs.ErrNotExist)
	case http.StatusUnauthorized, http.StatusForbidden:
		err = errors.Join(err, fs.ErrPermission)
	}
	return 0, materialize.Fail(materialize.ClassNetwork, op, "a browser or curl -I shows what the server says", err)
}
