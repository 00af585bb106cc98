package stores_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cosafs/cmd/internal/stores"
)

func TestName(t *testing.T) {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ url, endpoint, want string }{
		{"s3://b/p/", "", "s3://b/p"},
		{"S3://Bucket/p/builds.json", "", "s3://Bucket/p"},
		{"s3://b/p?profile=x&anonymous=1", "", "s3://b/p"},
		{"s3://b/p/builds.json?endpoint=http://h:1&region=r", "http://other", "s3://b/p?endpoint=http://h:1"},
		{"s3://b/p", "http://h:1/", "s3://b/p?endpoint=http://h:1"},
		{"s3://b/p?endpoint=http://joe:secret@h:1", "", "s3://b/p?endpoint=http://h:1"},
		{"s3://joe:secret@b/p", "", "s3://b/p"},
		{"https://joe:secret@h/p/", "http://h:1", "https://h/p"},
		{"HTTPS://Builds.Example.com:443/Prod//builds.json", "", "https://builds.example.com/Prod"},
		{"http://h:8080/p?sig=secret#secret", "", "http://h:8080/p"},
		{"https://h/a%20b", "", "https://h/a%20b"},
		{"https://h/a b", "", "https://h/a%20b"},
		{"https://joe:sec#ret@h/p", "", "https://h/p"}, // no URL, but shown all the same
		{"https://joe:sec/ret@h/p", "", "https://h/p"},
		{"ftp://joe:secret@h/p", "", "ftp://h/p"},
		{"x/", "", filepath.Join(dir, "x")},
		{"x/builds.json", "", filepath.Join(dir, "x")},
		{"file:///a%20b/", "", "/a b"},
		{"file://joe:secret@h", "", "file://h"},
		{"/", "http://h:1", "/"},
		{"a?b@c", "", filepath.Join(dir, "a?b@c")},
		{"", "", ""},
	} {
		if got := stores.Name(c.url, c.endpoint); got != c.want {
			t.Errorf("Name(%q, %q) = %q; want %q", c.url, c.endpoint, got, c.want)
		}
	}
}

// A name is its own name, whatever it is of.
func FuzzName(f *testing.F) {
	for _, s := range []string{"https://u:p@h:443/p?t#f", "s3://b/p?endpoint=http://h", "file:///a%2Fb", "h/builds.json", "https://h/builds.json/%62uilds.json/", "https://", "https://:443", "://", "A:// 0\x000@00\xa5\xb4)w00", "s3://a@b/ü"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, url string) {
		name := stores.Name(url, "")
		if again := stores.Name(name, ""); again != name {
			t.Errorf("Name(%q) = %q, whose name is %q", url, name, again)
		}
	})
}

// No name or error shows a password or a signature.
func FuzzSecrets(f *testing.F) {
	f.Add("joe:", "h/p?sig=", "")
	f.Add("", "b/p#", "&x=1")
	f.Fuzz(func(t *testing.T, before, after, end string) {
		const secret = "s3cr3t!"
		if strings.ContainsAny(before, "/?#@") || strings.ContainsAny(after, "@") || strings.ContainsAny(end, "@") || !strings.ContainsAny(after, "?#") {
			t.Skip("no place for a secret")
		}
		for _, scheme := range []string{"https", "http", "ftp", "s3"} {
			url := scheme + "://" + before + secret + "@" + after + secret + end
			if name := stores.Name(url, ""); strings.Contains(name, secret) {
				t.Errorf("Name(%q) = %q", url, name)
			}
			if s, err := stores.Open(t.Context(), url, stores.Config{Netrc: "/dev/null"}); err == nil {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			} else if strings.Contains(err.Error(), secret) {
				t.Errorf("Open of %q: %v", url, err)
			}
		}
	})
}
