package webstore_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"testing"

	"cosafs/backend"
)

// A server that ignores ranges gives the right bytes, as long as what comes before
// them can be afforded.
func TestServerThatIgnoresRanges(t *testing.T) {
	const size = 100 << 20
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"1"`)
		w.Header().Set("Content-Length", strconv.Itoa(size))
		line := []byte("0123456789abcdef")
		for block := bytes.Repeat(line, 4096); r.Method == http.MethodGet; {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})
	for _, c := range []struct {
		r    backend.Range
		v    string
		want string
		err  error
	}{
		{backend.Range{Off: 3, Len: 4}, `"1"`, "3456", nil},
		{backend.Range{Off: 5<<20 + 10, Len: 6}, "", "abcdef", nil},
		{backend.Range{Len: 5}, "", "01234", nil},
		{backend.Range{Off: size, Len: 0}, "", "", nil},
		{backend.Range{Off: 3, Len: 4}, `"2"`, "", backend.ErrChanged},
		{backend.Range{Off: size - 1, Len: 2}, "", "", backend.ErrRange},
		{backend.Range{Off: size - 10, Len: 10}, "", "", errors.ErrUnsupported},
	} {
		if got, err := read(t, s, "a", c.r, c.v); !errors.Is(err, c.err) || got != c.want {
			t.Errorf("%+v: read %q, %v; want %q, %v", c.r, got, err, c.want, c.err)
		}
	}
}

// A part that is not the range asked for is not given.
func TestWrongPart(t *testing.T) {
	for _, c := range []struct {
		name, content string
		want          error // nil: none of the sentinels
	}{
		{"another part", "bytes 3-6/10", nil},
		{"less", "bytes 2-4/10", nil},
		{"more", "bytes 2-6/10", nil},
		{"a shorter file", "bytes 2-3/4", backend.ErrRange},
		{"of unknown size", "bytes 2-5/*", errors.ErrUnsupported},
		{"nonsense", "lines 2-5/10", nil},
		{"signs", "bytes +2-5/10", nil},
		{"backwards", "bytes 5-2/10", nil},
		{"several parts", "", nil},
	} {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("ETag", `"1"`)
			w.Header().Set("Content-Range", c.content)
			w.WriteHeader(http.StatusPartialContent)
			_, _ = io.WriteString(w, "2345")
		})
		_, err := read(t, s, "a", backend.Range{Off: 2, Len: 4}, "")
		wantError(t, c.name, err, c.want)
	}
}

// A server that refuses a range of the file that it describes has not said that
// it lies past the end.
func TestRefusedRange(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Range") != "" {
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			return
		}
		file(w, r)
	})
	_, err := read(t, s, "a", backend.Range{Off: 2, Len: 4}, "")
	wantError(t, "a range within", err, nil)
	_, err = read(t, s, "a", backend.Range{Off: 10, Len: 1}, "")
	wantError(t, "a range past the end", err, backend.ErrRange)
}
