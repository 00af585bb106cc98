package webstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"unicode"

	"cosafs/backend"
)

func TestNetrc(t *testing.T) {
	const text = `# machine h login no password no
machine other login o account x password p
macdef init
	machine h login macro password macro

machine H # in capitals
	login joe # his name
	port 21
	password #s3c"ret
machine h login later password later
machine quoted login "a b" password "q\"\\"
machine empty
machine half login l
default login anybody password x
machine late login no`
	for host, want := range map[string]account{
		"h": {"joe", `#s3c"ret`}, "other": {"o", "p"}, "quoted": {"a b", `q"\`}, "empty": {}, "half": {"l", ""}, "third": {"anybody", "x"}, "late": {"anybody", "x"},
	} {
		if got := lookup(text, host); got != want {
			t.Errorf("%s: %+v; want %+v", host, got, want)
		}
	}
	for _, cut := range []string{"machine h login", "machine h", "machine", `machine "h`, "macdef", "machine other login a", ""} {
		if got := lookup(cut, "h"); got != (account{}) {
			t.Errorf("%q: %+v; want nobody", cut, got)
		}
	}
}

// Nobody gets an account that is not said to be for his host or for all, and an
// account is the host's whatever follows it.
func FuzzNetrc(f *testing.F) {
	f.Add("machine h login a password b")
	f.Add("macdef x\nmachine h\n\ndefault login a # b")
	f.Add(`login "\"x" password "`)
	f.Fuzz(func(t *testing.T, text string) {
		const host = "builds.example.com"
		// Quotes and letters that look like others are ways to name it, too.
		named := strings.Contains(text, "default") || strings.Contains(text, `"`) || strings.Contains(strings.ToLower(text), host) ||
			strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII })
		if got := lookup(text, host); got != (account{}) && !named {
			t.Errorf("%q: %+v for a host that is not in it", text, got)
		}
		mine := account{"me", "mine"}
		if got := lookup("machine "+host+" login me password mine\nmachine other\n"+text, host); got != mine {
			t.Errorf("%q changes the account before it to %+v", text, got)
		}
	})
}

func FuzzContentRange(f *testing.F) {
	for _, s := range []string{"bytes 0-0/1", "bytes 5-9/10", "bytes */10", "bytes 9-5/10", "bytes 0-9/*", "bytes -1-2/3", "bytes 0-9223372036854775807/9223372036854775808", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := parseContentRange(s)
		if err == nil && (got.first < 0 || got.last < got.first || got.size <= got.last) {
			t.Errorf("%q: %+v", s, got)
		}
	})
}

// Whatever an answer holds, what is skipped and read of it is the range.
func FuzzSpan(f *testing.F) {
	f.Add(int64(3), int64(4), int64(3), int64(6), int64(10))
	f.Add(int64(3), int64(4), int64(0), int64(9), int64(10))
	f.Fuzz(func(t *testing.T, off, n, first, last, size int64) {
		if off < 0 || first < 0 || last < first || size <= last {
			t.Skip("no answer that is read off")
		}
		length, err := backend.Range{Off: off, Len: n}.Within(size)
		if err != nil {
			t.Skip("refused before")
		}
		skip, err := span{first, last, size}.skip(off, length)
		if err == nil && (first+skip != off || off+length-1 > last) {
			t.Errorf("%d bytes at %d of %d-%d/%d: skip %d", length, off, first, last, size, skip)
		}
	})
}

// A key's URL is below the store's, is read back as the key, and has the store's query.
func FuzzAddress(f *testing.F) {
	f.Add("a b/c+d", "/builds")
	f.Add("ü%2F?#", "/a%20b/")
	f.Add("..%2f", "")
	f.Fuzz(func(t *testing.T, key, path string) {
		root, err := parseRoot("https://joe:pw@host" + path)
		if err != nil || !backend.ValidKey(key) || path != "" && path[0] != '/' {
			t.Skip("refused before")
		}
		s := &Store{root: root}
		u, err := url.Parse(s.address(backend.Key(key)).String())
		if err != nil {
			t.Fatal(err)
		}
		if u.Host != "host" || u.Path != root.Path+"/"+key || u.RawQuery != root.RawQuery || u.Fragment != "" {
			t.Errorf("%q below %q: %s", key, path, u)
		}
		if strings.ContainsAny(publicName(root), "?#") || strings.Contains(publicName(root), "joe:pw@host") {
			t.Errorf("the name of %q is %s", path, publicName(root))
		}
	})
}

// What a connection makes of trouble is neither a store's word nor ctx's.
func TestMishaps(t *testing.T) {
	timeout := &net.OpError{Op: "dial", Err: context.DeadlineExceeded}
	for _, err := range []error{syscall.EACCES, syscall.ENOENT, os.ErrDeadlineExceeded, timeout, fs.ErrClosed, context.Canceled} {
		err = &url.Error{Op: "Get", URL: "https://h/?sig=secret", Err: fmt.Errorf("trouble: %w", err)}
		got := mishap(t.Context(), err)
		if backend.Final(got) || errors.Is(got, context.DeadlineExceeded) || errors.Is(got, context.Canceled) || strings.Contains(got.Error(), "secret") {
			t.Errorf("%v became %v", err, got)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if got := mishap(ctx, err); !errors.Is(got, context.Canceled) {
			t.Errorf("%v with ctx ended became %v", err, got)
		}
	}
}

// Headers of conditions are such as Go sends.
func TestConditionsAreValid(t *testing.T) {
	for _, v := range []string{"", `"a"`, "Thu, 02 Jan 2025 03:04:05 GMT;10;", ";10;W/\"x\"", "x", ";", `""`} {
		h := condition(v)
		want := http.Header{}
		switch v {
		case `"a"`:
			want.Set("If-Match", v)
		case "Thu, 02 Jan 2025 03:04:05 GMT;10;":
			want.Set("If-Unmodified-Since", "Thu, 02 Jan 2025 03:04:05 GMT")
		}
		if fmt.Sprint(h) != fmt.Sprint(want) {
			t.Errorf("%q is asked for with %v; want %v", v, h, want)
		}
	}
}
