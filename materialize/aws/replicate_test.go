package aws_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cosafs/materialize"
	"cosafs/materialize/aws"
	"cosafs/materialize/aws/awstest"
	"cosafs/materialize/disk/view"
)

// noWait is a Wait that takes no time.
func noWait(ctx context.Context, _ time.Duration) error { return context.Cause(ctx) }

func TestReplicate(t *testing.T) {
	cloud := awstest.New()
	cloud.Regions = []string{"us-east-1", "eu-west-1", "ap-south-1", "sa-east-1"}
	cfg, c := serve(t, cloud), config("us-east-1")
	c.Public, c.Tags, c.GrantSnapshotUsers = true, map[string]string{"team": "os"}, []string{"222222222222"}
	amis, err := upload(t.Context(), t, cfg, c, disk(t, block, 0))
	if err != nil {
		t.Fatal(err)
	}
	source, _ := one(t, cloud, amis[0])
	task := &materialize.Task{Log: t.Output()}
	p := aws.Replication{Source: amis[0], Have: []string{"sa-east-1"}, Wait: noWait}
	copies, err := aws.NewAccount(cfg).Replicate(t.Context(), p, task)
	if err != nil || len(copies) != 2 {
		t.Fatalf("%v, %v", copies, err)
	}
	for i, region := range []string{"ap-south-1", "eu-west-1"} {
		s, image := one(t, cloud, copies[i])
		if copies[i].Region != region || !cmp.Equal(image.Users, []string{"all"}) || image.Name != c.Name || image.Tags["team"] != "os" {
			t.Errorf("copy of %s: %+v", region, image)
		}
		if !cmp.Equal(s.Users, source.Users) || !cmp.Equal(s.Tags, source.Tags) {
			t.Errorf("snapshot of %s: %v %v", region, s.Users, s.Tags)
		}
	}
	again, err := aws.NewAccount(cfg).Replicate(t.Context(), p, task)
	if err != nil || !cmp.Equal(again, copies) || cloud.Count("CopyImage") != 2 {
		t.Errorf("again: %v, %v after %d copies", again, err, cloud.Count("CopyImage"))
	}
}

func TestReplicateOfNothing(t *testing.T) {
	source := aws.AMI{Region: "us-east-1", HVM: "ami-0", Snapshot: "snap-0"}
	_, err := aws.NewAccount(serve(t, awstest.New())).Replicate(t.Context(), aws.Replication{Source: source, Regions: []string{"eu-west-1"}, Wait: noWait}, &materialize.Task{})
	if err == nil || !strings.Contains(err.Error(), "ami-0") {
		t.Errorf("got %v", err)
	}
}

func TestReplicateDryRun(t *testing.T) {
	cloud := awstest.New()
	cloud.Fault = func(call awstest.Call) awstest.Fault { t.Errorf("sent %v", call); return awstest.Deny }
	var out bytes.Buffer
	p := aws.Replication{Source: aws.AMI{Region: "us-east-1", HVM: "ami-0"}, Regions: []string{"eu-west-1"}, DryRun: &out}
	if _, err := aws.NewAccount(serve(t, cloud)).Replicate(t.Context(), p, &materialize.Task{}); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.HasPrefix(got, "eu-west-1 CopyImage ") || !strings.Contains(got, `"SourceImageId":"ami-0"`) {
		t.Errorf("calls: %s", got)
	}
}

// What is published already needs no disk.
func TestPublishedNeedsNoDisk(t *testing.T) {
	cfg, c := serve(t, awstest.New()), config("us-east-1")
	first, err := upload(t.Context(), t, cfg, c, disk(t, block, 0))
	if err != nil {
		t.Fatal(err)
	}
	u, err := aws.New(cfg, c)
	if err != nil {
		t.Fatal(err)
	}
	none := func(context.Context, func(view.Image) error) error { return fs.ErrNotExist }
	if again, err := u.Upload(t.Context(), none, &materialize.Task{}); err != nil || !cmp.Equal(again, first) {
		t.Errorf("%v, %v; want %v", again, err, first)
	}
	c.Name = "other"
	if u, err = aws.New(cfg, c); err != nil {
		t.Fatal(err)
	}
	if _, err := u.Upload(t.Context(), none, &materialize.Task{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a disk: %v", err)
	}
}

// A disk that was written anew has its bytes elsewhere: an upload of it doesn't go on
// with the snapshot of the other.
func TestOtherBytesAreAnotherSnapshot(t *testing.T) {
	cloud := awstest.New()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cloud.Fault = func(call awstest.Call) awstest.Fault {
		if call.Action == "PutSnapshotBlock" && call.N == 4 {
			cancel()
		}
		return awstest.None
	}
	cfg, c := serve(t, cloud), config("us-east-1")
	c.Parallel, c.State = 1, t.TempDir()
	if _, err := upload(ctx, t, cfg, c, disk(t, 20*block, seq(10)...)); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	im := disk(t, 20*block, seq(20)[10:]...)
	amis, err := upload(t.Context(), t, cfg, c, im)
	if err != nil {
		t.Fatal(err)
	}
	snapshots := cloud.Snapshots("us-east-1")
	if last := snapshots[len(snapshots)-1]; len(snapshots) != 2 || last.ID != amis[0].Snapshot {
		t.Fatalf("%d snapshots, the last %s; the AMI is of %s", len(snapshots), last.ID, amis[0].Snapshot)
	}
	sameBytes(t, snapshots[1], im)
}

func TestAccount(t *testing.T) {
	cloud := awstest.New()
	cloud.Looks = 0
	t.Setenv("AWS_ENDPOINT_URL", *serve(t, cloud).BaseEndpoint)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("HOME", t.TempDir())
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"} {
		t.Setenv(name, "")
	}
	c := config("us-east-1")
	try := func() error {
		account, err := aws.Open(t.Context(), aws.Access{})
		if err != nil {
			t.Fatal(err)
		}
		u, err := account.Uploader(c)
		if err != nil {
			t.Fatal(err)
		}
		_, err = u.Upload(t.Context(), given(disk(t, block, 0)), &materialize.Task{})
		return err
	}
	err := try()
	if class, hint := materialize.ClassOf(err); class != materialize.ClassConfig || !strings.Contains(hint, "AWS_ACCESS_KEY_ID") {
		t.Errorf("without credentials: %v, class %s, hint %q", err, class, hint)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	if err := try(); err != nil || len(cloud.Images("us-east-1")) != 1 {
		t.Errorf("with credentials: %v", err)
	}
}
