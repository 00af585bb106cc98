package gc_test

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"testing"
	"time"

	"cosafs/backend"
	"cosafs/backend/s3store"
	"cosafs/cmd/internal/gc"
	"cosafs/cmd/internal/upload"
	"cosafs/test/s3server"
)

// On a real server, whose lists tell times more exactly than its answers do.
func TestCollectsOnS3(t *testing.T) {
	server := s3server.Start(t)
	t.Setenv("AWS_ACCESS_KEY_ID", s3server.Access)
	t.Setenv("AWS_SECRET_ACCESS_KEY", s3server.Secret)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	s3, err := s3store.Open(t.Context(), s3store.Config{Bucket: s3server.Private, Prefix: "prod/builds", Endpoint: server.Endpoint, Region: s3server.Region})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s3.Close() }) // only connections
	s := backend.Retry(s3, backend.Policy{})
	for _, id := range []string{"1", "2", "3"} {
		o := workdir(t, id)
		o.Dest = s
		if _, err := upload.Run(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	o := workdir(t, "0") // never listed
	o.Dest, o.SkipBuildsJSON = s, true
	if _, err := upload.Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	r, err := gc.Run(t.Context(), gc.Options{
		Store: s, Policy: gc.Policy{Builds: gc.Keep{Newest: 1}, Unlisted: true},
		Now: func() time.Time { return time.Now().Add(8 * day) },
	})
	if err != nil || !slices.Equal(r.Tombstones, []string{"1"}) || len(r.Deleted) != 4 {
		t.Fatalf("%v, report %+v", err, r)
	}
	for id, want := range map[string]error{"0": fs.ErrNotExist, "1": fs.ErrNotExist, "2": nil, "3": nil} {
		for _, name := range []string{"meta.json", file(id, arch, "qemu")} {
			_, err := os.Stat(server.Object(s3server.Private, "prod/builds/"+id+"/"+arch+"/"+name))
			if !errors.Is(err, want) {
				t.Errorf("%s of %s: %v; want %v", name, id, err, want)
			}
		}
	}
}
