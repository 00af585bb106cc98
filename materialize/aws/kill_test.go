package aws_test

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"cosafs/materialize"
	"cosafs/materialize/aws"
	"cosafs/materialize/aws/awstest"
	"cosafs/materialize/disk/view"
)

// The environment of TestChild: where the cloud is, and the disk.
const (
	childURL = "COSAFS_AWSTEST_URL"
	childDir = "COSAFS_AWSTEST_DIR"
)

// TestChild is the process that TestKilledUploadGoesOn kills.
func TestChild(t *testing.T) {
	url := os.Getenv(childURL)
	if url == "" {
		t.Skip("only runs as another test's child")
	}
	if err := child(t.Context(), url, os.Getenv(childDir)); err != nil {
		t.Fatal(err)
	}
}

// child uploads the disk of a directory.
func child(ctx context.Context, url, dir string) error {
	im, err := view.Open(filepath.Join(dir, "disk.raw"))
	if err != nil {
		return err
	}
	c := config("us-east-1", "eu-west-1")
	c.State = filepath.Join(dir, "state")
	u, err := aws.New(awstest.Config(url, http.DefaultClient), c)
	if err != nil {
		return err
	}
	_, err = u.Upload(ctx, given(im), &materialize.Task{Log: os.Stderr})
	return err
}

// A process is killed in mid-upload, at several instants one after the other, and
// started again each time.
func TestKilledUploadGoesOn(t *testing.T) {
	cloud, dir := awstest.New(), t.TempDir()
	kill := make(chan chan struct{})
	at := map[awstest.Call]bool{
		{Region: "us-east-1", Action: "StartSnapshot", N: 1}: true, {Region: "us-east-1", Action: "PutSnapshotBlock", N: 25}: true,
		{Region: "us-east-1", Action: "PutSnapshotBlock", N: 50}: true, {Region: "us-east-1", Action: "CompleteSnapshot", N: 1}: true,
		{Region: "us-east-1", Action: "RegisterImage", N: 1}: true, {Region: "eu-west-1", Action: "CopyImage", N: 1}: true,
	}
	cloud.Fault = func(call awstest.Call) awstest.Fault {
		if !at[call] {
			return awstest.None
		}
		dead := make(chan struct{})
		kill <- dead
		<-dead
		return awstest.Cut
	}
	cfg := serve(t, cloud)
	writeDisk(t, filepath.Join(dir, "disk.raw"), 100*block, seq(60))
	kills := 0
	for runChild(t, *cfg.BaseEndpoint, dir, kill) {
		kills++
	}
	if kills != len(at) {
		t.Errorf("killed %d times, want %d", kills, len(at))
	}
	for _, region := range []string{"us-east-1", "eu-west-1"} {
		s, images := cloud.Snapshots(region), cloud.Images(region)
		if len(s) != 1 || len(images) != 1 || len(s[0].Blocks) != 60 {
			t.Fatalf("%s: %d snapshots, %d AMIs; want one of each", region, len(s), len(images))
		}
		one(t, cloud, aws.AMI{Region: region, HVM: images[0].ID, Snapshot: s[0].ID})
	}
	// In flight at a kill are 16 puts at most.
	if puts := cloud.Count("PutSnapshotBlock"); puts > 60+2*16 {
		t.Errorf("%d puts for 60 blocks", puts)
	}
}

// runChild runs an upload until its end, or until it is to be killed.
func runChild(t *testing.T, url, dir string, kill <-chan chan struct{}) (killed bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChild$")
	cmd.Env = append(os.Environ(), childURL+"="+url, childDir+"="+dir)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case dead := <-kill:
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		if err := <-ended; err == nil {
			t.Error("a killed process ended well")
		}
		close(dead)
		return true
	case err := <-ended:
		if err != nil {
			t.Fatalf("%v\n%s", err, &log)
		}
		return false
	}
}
