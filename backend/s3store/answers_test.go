package s3store_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"cosafs/backend"
	"cosafs/backend/s3store"
)

// fake gives a store whose server is the handler.
func fake(t *testing.T, h http.HandlerFunc) *s3store.Store {
	t.Helper()
	return impatient(t, h, 0)
}

// impatient is fake with a time-out.
func impatient(t *testing.T, h http.HandlerFunc, timeout time.Duration) *s3store.Store {
	t.Helper()
	server{access: "key", secret: "secret"}.account(t)
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return open(t, s3store.Config{Bucket: "b", Prefix: "builds", Endpoint: srv.URL, Timeout: timeout})
}

// What each status means, to someone who reads, lists and writes. nil is a mishap.
func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		status            int
		code              string
		read, list, write error
	}{
		{http.StatusBadRequest, "InvalidArgument", nil, nil, nil},
		{http.StatusBadRequest, "ExpiredToken", fs.ErrPermission, fs.ErrPermission, fs.ErrPermission},
		{http.StatusUnauthorized, "Whatever", fs.ErrPermission, fs.ErrPermission, fs.ErrPermission},
		{http.StatusForbidden, "AccessDenied", fs.ErrPermission, fs.ErrPermission, fs.ErrPermission},
		{http.StatusForbidden, "", fs.ErrPermission, fs.ErrPermission, fs.ErrPermission},
		{http.StatusNotFound, "NoSuchKey", fs.ErrNotExist, nil, fs.ErrNotExist},
		{http.StatusNotFound, "NoSuchBucket", nil, nil, nil},
		{http.StatusNotFound, "XAdminUserNotFound", nil, nil, nil},
		{http.StatusNotFound, "", nil, nil, nil},
		{http.StatusConflict, "OperationAborted", nil, nil, nil},
		{http.StatusPreconditionFailed, "PreconditionFailed", backend.ErrChanged, nil, backend.ErrCondition},
		{http.StatusPreconditionFailed, "", backend.ErrChanged, nil, backend.ErrCondition},
		{http.StatusMovedPermanently, "PermanentRedirect", nil, nil, nil},
		{http.StatusTemporaryRedirect, "TemporaryRedirect", nil, nil, nil},
		{http.StatusInternalServerError, "InternalError", nil, nil, nil},
		{http.StatusBadGateway, "", nil, nil, nil},
		{http.StatusServiceUnavailable, "SlowDown", nil, nil, nil},
		{http.StatusGatewayTimeout, "", nil, nil, nil},
	} {
		answer := refuse(anything, c.status, c.code)
		s := fake(t, func(w http.ResponseWriter, r *http.Request) { answer(w, r) })
		for name, got := range map[string]struct{ err, want error }{
			"Stat": {statError(t.Context(), s), c.read},
			"Open": {openError(t.Context(), s), c.read},
			"List": {listError(t.Context(), s), c.list},
			"Put":  {putError(t.Context(), s), c.write},
		} {
			if got.err == nil || got.want == nil && backend.Final(got.err) || got.want != nil && !errors.Is(got.err, got.want) {
				t.Errorf("%d %s: %s: %v; want %v", c.status, c.code, name, got.err, got.want)
			}
		}
	}
}

func statError(ctx context.Context, s *s3store.Store) error {
	_, err := s.Stat(ctx, "key")
	return err
}

func openError(ctx context.Context, s *s3store.Store) error {
	_, err := s.Open(ctx, "key", backend.Range{Off: 1, Len: 1}, "v")
	return err
}

func listError(ctx context.Context, s *s3store.Store) (last error) {
	for _, err := range s.List(ctx, "") {
		last = err
	}
	return last
}

func putError(ctx context.Context, s *s3store.Store) error {
	_, err := s.Put(ctx, "key", source([]byte("x")), backend.Cond{})
	return err
}

// A server that says nothing, or cuts the connection, gives no answer.
func TestNoAnswer(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"silent": func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // only then does the server notice that the client has gone
			<-r.Context().Done()
		},
		"cut": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"no XML": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte("404 page not found"))
		},
	} {
		s := impatient(t, h, 200*time.Millisecond)
		for _, err := range []error{statError(t.Context(), s), openError(t.Context(), s), listError(t.Context(), s), putError(t.Context(), s)} {
			if err == nil || backend.Final(err) {
				t.Errorf("%s: %v; want none of the sentinels", name, err)
			}
		}
	}
}

// An object that is not the version asked for, or a part that is not the range
// asked for, is not given, whatever the server thinks.
func TestServerThatIgnoresWhatIsAsked(t *testing.T) {
	for _, c := range []struct {
		name   string
		header map[string]string
		status int
		want   error // nil: a mishap
	}{
		{"If-Match", map[string]string{"ETag": `"other"`, "Content-Range": "bytes 1-1/10"}, http.StatusPartialContent, backend.ErrChanged},
		{"range", map[string]string{"ETag": `"v"`}, http.StatusOK, errors.ErrUnsupported},
		{"other range", map[string]string{"ETag": `"v"`, "Content-Range": "bytes 2-2/10"}, http.StatusPartialContent, nil},
		{"nonsense", map[string]string{"ETag": `"v"`, "Content-Range": "lines"}, http.StatusPartialContent, nil},
		{"short", map[string]string{"ETag": `"v"`, "Content-Range": "bytes 1-1/1"}, http.StatusPartialContent, backend.ErrRange},
	} {
		s := fake(t, func(w http.ResponseWriter, _ *http.Request) {
			for name, value := range c.header {
				w.Header().Set(name, value)
			}
			w.WriteHeader(c.status)
			_, _ = w.Write([]byte("x"))
		})
		err := openError(t.Context(), s)
		if err == nil || c.want == nil && backend.Final(err) || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v; want %v", c.name, err, c.want)
		}
	}
}

// A body that stops in the middle is not its end.
func TestBodyThatBreaks(t *testing.T) {
	s := fake(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write(make([]byte, 10))
		_ = http.NewResponseController(w).Flush() // it works with this server
		panic(http.ErrAbortHandler)
	})
	body, err := s.Open(t.Context(), "key", backend.Range{Len: backend.ToEnd}, "")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = body.Close() }() // it broke
	n, err := 0, error(nil)
	for err == nil {
		var m int
		m, err = body.Read(make([]byte, 100))
		n += m
	}
	if n != 10 || errors.Is(err, fs.ErrClosed) || err.Error() == "EOF" {
		t.Errorf("%d bytes, %v; want 10 and an error that is no end", n, err)
	}
}

// Objects without an ETag can't be pinned, and lists that end early prove nothing.
func TestServerThatSaysTooLittle(t *testing.T) {
	s := fake(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			_, _ = w.Write([]byte(`<ListBucketResult><IsTruncated>true</IsTruncated><Contents><Key>builds/a</Key></Contents></ListBucketResult>`))
		}
	})
	if err := statError(t.Context(), s); err == nil || backend.Final(err) {
		t.Errorf("Stat: %v; want a mishap", err)
	}
	if err := listError(t.Context(), s); err == nil || backend.Final(err) {
		t.Errorf("List: %v; want a mishap", err)
	}
}

// A list out of order can't be gone on with after a break.
func TestListOutOfOrder(t *testing.T) {
	s := fake(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`<ListBucketResult><Contents><Key>builds/b</Key></Contents><Contents><Key>builds/a</Key></Contents></ListBucketResult>`))
	})
	var got []backend.Key
	var last error
	for info, err := range s.Walk(t.Context(), "") {
		if last = err; err == nil {
			got = append(got, info.Key)
		}
	}
	if len(got) != 1 || last == nil || backend.Final(last) {
		t.Errorf("walked past %q, %v; want b and an error", got, last)
	}
}
