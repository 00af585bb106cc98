package s3store_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cosafs/backend"
	"cosafs/backend/s3store"
)

func TestParseURL(t *testing.T) {
	for in, want := range map[string]s3store.Config{
		"s3://b":                         {Bucket: "b"},
		"s3://b/":                        {Bucket: "b"},
		"s3://fcos-builds/prod/streams/": {Bucket: "fcos-builds", Prefix: "prod/streams"},
		"s3://b/a%20b+c/d":               {Bucket: "b", Prefix: "a b+c/d"},
		"s3://b/p?endpoint=https://s3.example.com:9000&region=eu-1&profile=p&anonymous=1&path-style=true&ca=/etc/ca.pem&checksum=none": {
			Bucket: "b", Prefix: "p", Endpoint: "https://s3.example.com:9000", Region: "eu-1", Profile: "p",
			Anonymous: true, PathStyle: true, CAFile: "/etc/ca.pem", Checksum: "none",
		},
	} {
		got, err := s3store.ParseURL(in)
		if err != nil {
			t.Errorf("%s: %v", in, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", in, diff)
		}
	}
	for in, says := range map[string]string{
		"https://b/p":                "s3://",
		"s3:b/p":                     "s3://",
		"s3:///p":                    "bucket",
		"s3://user@b/p":              "s3://BUCKET/PREFIX",
		"s3://b:80/p":                "bucket",
		"s3://b/p#f":                 "s3://BUCKET/PREFIX",
		"s3://b/p//q":                "p//q",
		"s3://b/../q":                "..",
		"s3://b/p?endpont=x":         `"endpont"`,
		"s3://b/p?anonymous=perhaps": "anonymous",
		"s3://b/p?region=a&region=b": "region",
		"s3://b/p?a;b":               "semicolon",
		"s3://%zz/":                  "zz",
		"s3://b/p?endpoint=minio:80": "https://HOST",
	} {
		_, err := s3store.ParseURL(in)
		if !errors.Is(err, fs.ErrInvalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v; want ErrInvalid and %q", in, err, says)
		}
	}
}

func FuzzParseURL(f *testing.F) {
	for _, s := range []string{"s3://b/p?endpoint=http://h&ca=x", "s3://b/%2e%2e/x", "s3://b/p?anonymous=1&x", "s3://b//", "s3://[::1]/p"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		c, err := s3store.ParseURL(in)
		if err != nil {
			if !errors.Is(err, fs.ErrInvalid) || c != (s3store.Config{}) {
				t.Errorf("%q: %+v, %v; want nothing and ErrInvalid", in, c, err)
			}
			return
		}
		if c.Bucket == "" || strings.Contains(c.Bucket, "/") || backend.Key(c.Prefix).CheckPrefix() != nil {
			t.Errorf("%q: bucket %q, prefix %q", in, c.Bucket, c.Prefix)
		}
	})
}
