package fetch_test

import (
	"bytes"
	"testing"

	"cosafs/backend"
	"cosafs/backend/backendtest"
	"cosafs/backend/s3store"
	"cosafs/cmd/internal/fetch"
	"cosafs/cmd/internal/verify"
	"cosafs/materialize"
	"cosafs/test/s3server"
)

// openS3 opens a store on a server that runs for the test.
func openS3(t *testing.T, server *s3server.Server) *s3store.Store {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": s3server.Access, "AWS_SECRET_ACCESS_KEY": s3server.Secret, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
	} {
		t.Setenv(name, value)
	}
	s, err := s3store.Open(t.Context(), s3store.Config{Bucket: s3server.Private, Prefix: "prod/builds", Endpoint: server.Endpoint})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// A real S3 server dies in the middle of a fetch. When it is back the fetch goes
// on where it was, and what it brought verifies, as does the store itself.
func TestFetchFromS3(t *testing.T) {
	server := s3server.Start(t)
	s := openS3(t, server)
	r := newRemote(t)
	qemu := noise(64*mib, 1)
	r.add("1.1", x86, map[string][]byte{"qemu": qemu})
	copyAll(t, &r.Store, s)

	p := newPlace(t)
	key := backend.Key("1.1/x86_64/" + file("1.1", "qemu"))
	dying := &interrupted{Store: s, key: key, do: func() { server.Stop(t) }}
	_, err := p.fetch(dying, func(o *fetch.Options) { o.Parallel = 1 })
	if class, _ := materialize.ClassOf(err); class != materialize.ClassNetwork || p.has("1.1") {
		t.Fatalf("a server that died: %v", err)
	}
	server.Restart(t)
	counted, counts := backendtest.Counting(s)
	rep := p.mustFetch(backend.Retry(counted, backend.Policy{}), nil)
	if got := counts.Bytes(backendtest.Open); got > 49*mib || rep.Bytes != got {
		t.Errorf("the rest is %d bytes, %d reported; want less than the whole", got, rep.Bytes)
	}
	if !bytes.Equal(p.read("builds/"+string(key)), qemu) {
		t.Error("the bytes are wrong")
	}
	for name, o := range map[string]verify.Options{"here": {Dir: p.dir}, "in S3": {Store: s}} {
		if found, err := verify.Run(t.Context(), o); err != nil || len(found.Checked) != 3 || len(found.Bad)+len(found.Gone)+len(found.Unknown) != 0 {
			t.Errorf("verify %s: %+v, %v", name, found, err)
		}
	}
	p.nothingLeft()
}
