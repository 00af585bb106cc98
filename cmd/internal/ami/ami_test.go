package ami_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cosafs/backend"
	"cosafs/backend/memstore"
	"cosafs/cmd/internal/ami"
	"cosafs/index"
	"cosafs/materialize"
	"cosafs/materialize/aws"
	"cosafs/materialize/aws/awstest"
	"cosafs/materialize/disk/view"
)

// builds is one build, with its records in memory.
type builds struct {
	image string // image.json
	data  []byte // of the disk
	key   string // of the disk
	vmdk  string // path of the artifact
	lost  error  // of AddAMIs

	mu   sync.Mutex
	used int // how often the disk was opened
	made []string
	amis []index.AMI
}

// A diskView is a disk that needs no closing.
type diskView struct{ view.Image }

func (diskView) Close() error                              { return nil }
func (diskView) LocalFile() (*os.File, bool)               { return nil, false }
func (diskView) Source(_, _ int64) (*os.File, int64, bool) { return nil, 0, false }
func (d diskView) Blocks() int64                           { return view.Blocks(d.Image) }

func (d diskView) Data(off int64) (materialize.Extent, bool) {
	e, ok := d.Next(off)
	return materialize.Extent{Offset: e.Start, Length: e.End - e.Start}, ok
}

func (b *builds) PlatformDisk(_ context.Context, build, arch, kind string) (materialize.PlatformDisk, error) {
	if build != "" && build != "1.0" {
		return materialize.PlatformDisk{}, fs.ErrNotExist
	}
	return materialize.PlatformDisk{
		Build:     materialize.Build{ID: "1.0", Arch: arch, Name: "tiny", Summary: "A tiny OS"},
		ImageJSON: []byte(b.image), Key: b.key + kind,
		Use: func(_ context.Context, do func(materialize.View) error) error {
			b.used++
			return do(diskView{view.Bytes(b.data)})
		},
	}, nil
}

func (b *builds) Materialise(_ context.Context, path string, _ func(materialize.Event)) (materialize.Result, error) {
	b.made = append(b.made, path)
	return materialize.Result{Path: b.vmdk}, nil
}

func (b *builds) AMIs(context.Context, string, string) ([]index.AMI, error) { return b.amis, nil }

func (b *builds) AddAMIs(ctx context.Context, build, _ string, amis []index.AMI) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if ctx.Err() != nil || build != "1.0" {
		return errors.Join(ctx.Err(), fs.ErrInvalid)
	}
	b.amis = append(b.amis, amis...)
	return b.lost
}

// world gives a build, a cloud and an account in it.
func world(t *testing.T) (*builds, *awstest.Cloud, *aws.Account) {
	t.Helper()
	cloud := awstest.New()
	cloud.Looks = 0 // nothing takes time
	server := httptest.NewServer(cloud)
	t.Cleanup(server.Close)
	b := &builds{
		image: `{"aws-imdsv2-only": true, "aws-volume-type": "gp2", "aws-x86-boot-mode": "legacy-bios"}`,
		data:  bytes.Repeat([]byte("disk"), 300<<10), key: "key of ",
	}
	return b, cloud, aws.NewAccount(awstest.Config(server.URL, server.Client()))
}

func TestUpload(t *testing.T) {
	b, cloud, account := world(t)
	var mu sync.Mutex
	var phases []string
	o := ami.Options{
		Arch: "x86_64", Tags: map[string]string{"team": "os"}, Suffix: "-dev", Public: true,
		Talk: ami.Talk{Tell: func(e materialize.Event) { mu.Lock(); defer mu.Unlock(); phases = append(phases, e.Phase) }},
	}
	rep, err := ami.Upload(t.Context(), b, account, o)
	if err != nil {
		t.Fatal(err)
	}
	images, snapshots := cloud.Images("us-east-1"), cloud.Snapshots("us-east-1")
	if len(images) != 1 || len(snapshots) != 1 {
		t.Fatalf("%d AMIs, %d snapshots", len(images), len(snapshots))
	}
	want := awstest.Image{
		ID: images[0].ID, Name: "tiny-1.0-x86_64-dev", Description: "A tiny OS 1.0 x86_64", Arch: "x86_64", BootMode: "legacy-bios",
		IMDS: "v2.0", VolumeType: "gp2", Snapshot: snapshots[0].ID, Users: []string{"all"}, Available: true,
		Tags: map[string]string{"Name": "tiny-1.0-x86_64-dev", "team": "os", "cosafs-content": "key of aws"},
	}
	if diff := cmp.Diff(want, images[0]); diff != "" {
		t.Errorf("AMI (-want +got):\n%s", diff)
	}
	amis := []index.AMI{{Region: "us-east-1", HVM: images[0].ID, Snapshot: snapshots[0].ID}}
	if diff := cmp.Diff(ami.Report{Build: "1.0", Arch: "x86_64", AMIs: amis}, rep); diff != "" || !cmp.Equal(b.amis, amis) {
		t.Errorf("recorded %v, report (-want +got):\n%s", b.amis, diff)
	}
	if !strings.Contains(strings.Join(phases, "\n"), "upload blocks") {
		t.Errorf("phases: %q", phases)
	}
	if _, err := ami.Upload(t.Context(), b, account, o); err != nil || b.used != 1 {
		t.Errorf("again: %v; the disk was used %d times", err, b.used)
	}
	b.key = "another"
	_, err = ami.Upload(t.Context(), b, account, o)
	if _, hint := materialize.ClassOf(err); !errors.Is(err, fs.ErrExist) || hint == "" {
		t.Errorf("another disk under the name: %v, hint %q", err, hint)
	}
}

// What is there is recorded although one region fails, or nobody waits any more.
func TestPartsAreRecorded(t *testing.T) {
	b, cloud, account := world(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cloud.Fault = func(call awstest.Call) awstest.Fault {
		if call.Region == "eu-west-1" {
			cancel()
			return awstest.Deny
		}
		return awstest.None
	}
	rep, err := ami.Upload(ctx, b, account, ami.Options{Arch: "x86_64", Regions: []string{"us-east-1", "eu-west-1"}})
	if err == nil || len(rep.AMIs) != 1 || !cmp.Equal(b.amis, rep.AMIs) {
		t.Errorf("%v; report %v, recorded %v", err, rep, b.amis)
	}
}

// Nothing is published that couldn't be recorded.
func TestRecordsOrDoesNothing(t *testing.T) {
	b, cloud, account := world(t)
	b.lost = fs.ErrPermission
	_, err := ami.Upload(t.Context(), b, account, ami.Options{Arch: "x86_64"})
	if !errors.Is(err, fs.ErrPermission) || len(cloud.Snapshots("us-east-1")) != 0 {
		t.Errorf("%v, %d snapshots", err, len(cloud.Snapshots("us-east-1")))
	}
	b.amis = []index.AMI{{Region: "us-east-1", HVM: "ami-0"}}
	if _, err := ami.Replicate(t.Context(), b, account, ami.CopyOptions{Arch: "x86_64"}); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("replicate: %v", err)
	}
}

func TestImport(t *testing.T) {
	b, cloud, account := world(t)
	store := &memstore.Store{}
	b.vmdk = filepath.Join(t.TempDir(), "tiny-1.0-aws.x86_64.vmdk")
	if err := os.WriteFile(b.vmdk, []byte("a VMDK"), 0o600); err != nil {
		t.Fatal(err)
	}
	k, err := ami.ParseBucket("s3://bucket")
	if err != nil {
		t.Fatal(err)
	}
	k.Store = store
	var during backend.Info
	cloud.Fault = func(call awstest.Call) awstest.Fault {
		if call.Action == "ImportSnapshot" {
			during, err = store.Stat(t.Context(), "ami-import/tiny-1.0-aws.x86_64.vmdk")
		}
		return awstest.None
	}
	rep, uerr := ami.Upload(t.Context(), b, account, ami.Options{Arch: "x86_64", Bucket: &k})
	if uerr != nil || len(rep.AMIs) != 1 || b.used != 0 {
		t.Fatalf("%v, %v; the disk was used %d times", rep, uerr, b.used)
	}
	if err != nil || during.Size != 6 || !cmp.Equal(b.made, []string{"1.0/x86_64/aws.vmdk"}) {
		t.Errorf("at the import the bucket had %v, %v; made was %v", during, err, b.made)
	}
	if _, err := store.Stat(t.Context(), "ami-import/tiny-1.0-aws.x86_64.vmdk"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after it: %v", err)
	}
	b.vmdk += ".xz"
	_, uerr = ami.Upload(t.Context(), b, account, ami.Options{Arch: "x86_64", Bucket: &k, Name: "other"})
	if _, hint := materialize.ClassOf(uerr); !strings.Contains(hint, "decompress") {
		t.Errorf("compressed: %v, hint %q", uerr, hint)
	}
}

func TestDryRun(t *testing.T) {
	b, cloud, account := world(t)
	cloud.Fault = func(call awstest.Call) awstest.Fault { t.Errorf("sent %v", call); return awstest.Deny }
	k := ami.Bucket{Name: "bucket", Prefix: "p"}
	for want, bucket := range map[string]*ami.Bucket{`"Blocks":3,`: nil, `"Key":"p/tiny-1.0-aws.x86_64.vmdk"`: &k} {
		var out bytes.Buffer
		rep, err := ami.Upload(t.Context(), b, account, ami.Options{Arch: "x86_64", DryRun: &out, Bucket: bucket})
		if err != nil || len(rep.AMIs) != 0 || len(b.amis) != 0 || !strings.Contains(out.String(), want) {
			t.Errorf("%v, %v, calls:\n%s", rep, err, &out)
		}
	}
}

func TestReplicate(t *testing.T) {
	b, cloud, account := world(t)
	cloud.Regions = []string{"us-east-1", "eu-west-1", "ap-south-1"}
	_, err := ami.Replicate(t.Context(), b, account, ami.CopyOptions{Arch: "x86_64"})
	if _, hint := materialize.ClassOf(err); !errors.Is(err, fs.ErrNotExist) || hint == "" {
		t.Errorf("without an AMI: %v, hint %q", err, hint)
	}
	if _, err := ami.Upload(t.Context(), b, account, ami.Options{Arch: "x86_64"}); err != nil {
		t.Fatal(err)
	}
	if _, err := ami.Replicate(t.Context(), b, account, ami.CopyOptions{Arch: "x86_64", Source: "eu-west-1"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("from a region without one: %v", err)
	}
	for _, regions := range [][]string{{"eu-west-1", "us-east-1"}, nil, nil, {"eu-west-1"}} {
		if _, err := ami.Replicate(t.Context(), b, account, ami.CopyOptions{Arch: "x86_64", Regions: regions}); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, a := range b.amis {
		got = append(got, a.Region)
	}
	if diff := cmp.Diff([]string{"us-east-1", "eu-west-1", "ap-south-1"}, got); diff != "" || cloud.Count("CopyImage") != 2 {
		t.Errorf("%d copies, recorded (-want +got):\n%s", cloud.Count("CopyImage"), diff)
	}
}

func TestParseBucket(t *testing.T) {
	for url, want := range map[string]ami.Bucket{
		"s3://b": {Name: "b", Prefix: "ami-import"}, "s3://b/": {Name: "b", Prefix: "ami-import"},
		"s3://b/p/q/": {Name: "b", Prefix: "p/q"},
		"b/p":         {}, "s3://": {}, "s3:///p": {}, "https://b/p": {}, "s3://b/../p": {}, "s3://b?region=x": {},
	} {
		got, err := ami.ParseBucket(url)
		if got != want || errors.Is(err, fs.ErrInvalid) != (want == ami.Bucket{}) {
			t.Errorf("%s: %+v, %v", url, got, err)
		}
	}
}

func FuzzParseBucket(f *testing.F) {
	f.Add("s3://b/p/q")
	f.Fuzz(func(t *testing.T, url string) {
		k, err := ami.ParseBucket(url)
		if err == nil && (!backend.ValidKey(k.Prefix) || strings.ContainsAny(k.Name, "/?#") || !strings.HasPrefix(url, "s3://"+k.Name)) {
			t.Errorf("%q gave %+v", url, k)
		}
	})
}
