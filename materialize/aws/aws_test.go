package aws_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"cosafs/materialize"
	"cosafs/materialize/aws"
	"cosafs/materialize/aws/awstest"
	"cosafs/materialize/disk/view"
)

const block = 512 << 10

// serve serves a cloud and gives the configuration of its clients.
func serve(t *testing.T, cloud *awstest.Cloud) sdk.Config {
	t.Helper()
	server := httptest.NewServer(cloud)
	t.Cleanup(server.Close)
	return awstest.Config(server.URL, server.Client())
}

// config is that of a build for some regions, whose waits take no time.
func config(regions ...string) aws.Config {
	return aws.Config{
		Name: "tiny-1-x86_64", Description: "a tiny OS", Arch: "x86_64", Content: "disk 1", Regions: regions,
		Wait: func(ctx context.Context, _ time.Duration) error { return context.Cause(ctx) },
	}
}

// disk makes a sparse disk whose blocks of the given indices hold data.
func disk(t *testing.T, size int64, indices ...int64) view.Image {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk.raw")
	writeDisk(t, path, size, indices)
	im, err := view.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = im.Close() }) // it was read only
	return im
}

// writeDisk writes the file of disk.
func writeDisk(t *testing.T, path string, size int64, indices []int64) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	err = f.Truncate(size)
	for _, i := range indices {
		if err == nil {
			_, err = f.WriteAt([]byte{1, 2, byte(i)}, i*block+4096)
		}
	}
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// upload runs one upload.
func upload(ctx context.Context, t *testing.T, cfg sdk.Config, c aws.Config, im view.Image) ([]aws.AMI, error) {
	t.Helper()
	u, err := aws.New(cfg, c)
	if err != nil {
		t.Fatal(err)
	}
	return u.Upload(ctx, given(im), &materialize.Task{Log: t.Output()})
}

// given is a disk that is there.
func given(im view.Image) aws.Disk {
	return func(_ context.Context, use func(view.Image) error) error { return use(im) }
}

// one checks that a region has one snapshot and one AMI, and that they are ami's.
func one(t *testing.T, cloud *awstest.Cloud, ami aws.AMI) (awstest.Snapshot, awstest.Image) {
	t.Helper()
	snapshots, images := cloud.Snapshots(ami.Region), cloud.Images(ami.Region)
	if len(snapshots) != 1 || len(images) != 1 {
		t.Fatalf("%s has %d snapshots and %d AMIs, want one of each", ami.Region, len(snapshots), len(images))
	}
	got := aws.AMI{Region: ami.Region, HVM: images[0].ID, Snapshot: snapshots[0].ID}
	if got != ami || images[0].Snapshot != ami.Snapshot || !snapshots[0].Completed || !images[0].Available {
		t.Fatalf("upload says %v, the cloud has %v %v", ami, snapshots[0], images[0])
	}
	return snapshots[0], images[0]
}

func TestUpload(t *testing.T) {
	cloud := awstest.New()
	cfg, im := serve(t, cloud), disk(t, 3*block+1000, 0, 3)
	c := config("us-east-1", "eu-west-1", "us-east-1")
	c.IMDSv2, c.Public, c.Tags = true, true, map[string]string{"team": "os"}
	c.GrantUsers, c.GrantSnapshotUsers = []string{"111111111111"}, []string{"222222222222"}
	amis, err := upload(t.Context(), t, cfg, c, im)
	if err != nil {
		t.Fatal(err)
	}
	again, err := upload(t.Context(), t, cfg, c, im)
	if err != nil || !cmp.Equal(again, amis) || len(amis) != 2 {
		t.Fatalf("the second upload gave %v, %v; the first %v", again, err, amis)
	}
	for _, ami := range amis {
		s, image := one(t, cloud, ami)
		want := awstest.Image{
			ID: ami.HVM, Name: c.Name, Description: c.Description, Arch: "x86_64", BootMode: "uefi-preferred", IMDS: "v2.0",
			VolumeType: "gp3", Snapshot: ami.Snapshot, Users: []string{"111111111111", "all"}, Available: true,
			Tags: map[string]string{"Name": c.Name, "team": "os", "cosafs-content": "disk 1"},
		}
		if diff := cmp.Diff(want, image); diff != "" {
			t.Errorf("AMI of %s (-want +got):\n%s", ami.Region, diff)
		}
		if !cmp.Equal(s.Users, c.GrantSnapshotUsers) || !cmp.Equal(s.Tags, want.Tags) || s.Size != 1 {
			t.Errorf("snapshot of %s: %v %v %d GiB", ami.Region, s.Users, s.Tags, s.Size)
		}
		sameBytes(t, s, im)
	}
}

// sameBytes checks that a snapshot holds a disk.
func sameBytes(t *testing.T, s awstest.Snapshot, im view.Image) {
	t.Helper()
	want, err := io.ReadAll(view.Reader(t.Context(), im))
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, (len(want)+block-1)/block*block)
	for i, p := range s.Blocks {
		copy(got[i*block:], p)
	}
	if !bytes.Equal(got[:len(want)], want) || len(bytes.Trim(got[len(want):], "\x00")) > 0 {
		t.Error("the snapshot's bytes are not the disk's")
	}
}

func TestSparseDiskSendsAllocatedBlocksOnly(t *testing.T) {
	cloud := awstest.New()
	im := disk(t, 2<<30, 0, 1, 2, 700, 4095)
	amis, err := upload(t.Context(), t, serve(t, cloud), config("us-east-1"), im)
	if err != nil {
		t.Fatal(err)
	}
	s, _ := one(t, cloud, amis[0])
	if puts := cloud.Count("PutSnapshotBlock"); puts != 5 || len(s.Blocks) != 5 || s.Size != 2 {
		t.Errorf("%d puts made %d blocks of %d GiB, want 5 of 2 GiB", puts, len(s.Blocks), s.Size)
	}
}

func TestZerosInExtentsAreNotSent(t *testing.T) {
	cloud := awstest.New()
	p := make([]byte, 4*block)
	p[2*block] = 1
	if _, err := upload(t.Context(), t, serve(t, cloud), config("us-east-1"), view.Bytes(p)); err != nil {
		t.Fatal(err)
	}
	if puts := cloud.Count("PutSnapshotBlock"); puts != 1 {
		t.Errorf("%d puts, want 1", puts)
	}
}

func TestOtherContentIsRefusedUnlessForced(t *testing.T) {
	cloud := awstest.New()
	cfg, c := serve(t, cloud), config("us-east-1", "eu-west-1")
	first, err := upload(t.Context(), t, cfg, c, disk(t, 2*block, 0))
	if err != nil {
		t.Fatal(err)
	}
	c.Content = "disk 2"
	other := disk(t, 2*block, 1)
	if _, err := upload(t.Context(), t, cfg, c, other); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("other content under the name: %v, want %v", err, fs.ErrExist)
	}
	one(t, cloud, first[0])
	c.Force = true
	for range 2 { // the same content, again by force, is made anew as well
		amis, err := upload(t.Context(), t, cfg, c, other)
		if err != nil {
			t.Fatal(err)
		}
		for _, ami := range amis {
			s, _ := one(t, cloud, ami)
			sameBytes(t, s, other)
		}
	}
}

// A spoiler changes a byte of a block on its way.
type spoiler struct{ http.RoundTripper }

func (s spoiler) Do(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPut {
		p, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		p[7] ^= 1
		r.Body = io.NopCloser(bytes.NewReader(p))
	}
	return s.RoundTrip(r)
}

func TestSpoiltBlockIsRefused(t *testing.T) {
	cloud := awstest.New()
	cfg := serve(t, cloud)
	cfg.HTTPClient = spoiler{http.DefaultTransport}
	_, err := upload(t.Context(), t, cfg, config("us-east-1"), disk(t, block, 0))
	if class, hint := materialize.ClassOf(err); err == nil || class != materialize.ClassInternal || hint == "" {
		t.Errorf("spoilt block: %v, class %q, hint %q", err, class, hint)
	}
	if s := cloud.Snapshots("us-east-1"); len(s) != 1 || len(s[0].Blocks) != 0 || s[0].Completed || len(cloud.Images("us-east-1")) != 0 {
		t.Errorf("a spoilt block came to something: %v", s)
	}
}

func TestDryRunSendsNothing(t *testing.T) {
	cloud := awstest.New()
	cloud.Fault = func(call awstest.Call) awstest.Fault { t.Errorf("sent %v", call); return awstest.Deny }
	var out bytes.Buffer
	c := config("us-east-1", "eu-west-1")
	c.DryRun, c.Public = &out, true
	if _, err := upload(t.Context(), t, serve(t, cloud), c, disk(t, 9*block, 0, 8)); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(out.String()) {
		fields := strings.Fields(line)
		got = append(got, fields[0]+" "+fields[1])
	}
	want := []string{
		"us-east-1 StartSnapshot", "us-east-1 PutSnapshotBlock", "us-east-1 CompleteSnapshot", "us-east-1 RegisterImage",
		"us-east-1 CreateTags", "us-east-1 ModifyImageAttribute", "eu-west-1 CopyImage", "eu-west-1 CreateTags", "eu-west-1 ModifyImageAttribute",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if !strings.Contains(out.String(), `"Blocks":2,`) || !strings.Contains(out.String(), `"Name":"tiny-1-x86_64"`) {
		t.Errorf("the calls lack their parameters:\n%s", &out)
	}
}

func TestBadConfig(t *testing.T) {
	for name, spoil := range map[string]func(*aws.Config){
		"arch":   func(c *aws.Config) { c.Arch = "s390x" },
		"name":   func(c *aws.Config) { c.Name = "" },
		"region": func(c *aws.Config) { c.Regions = nil },
	} {
		c := config("us-east-1")
		spoil(&c)
		_, err := aws.New(sdk.Config{}, c)
		if class, hint := materialize.ClassOf(err); err == nil || class != materialize.ClassConfig || hint == "" {
			t.Errorf("%s: %v, class %s", name, err, class)
		}
	}
}
