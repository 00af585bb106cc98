package test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cosafs/materialize/aws/awstest"
	"cosafs/test/s3server"
	"cosafs/test/tinyos"
)

// awsBlock is the size of a snapshot's blocks in bytes.
const awsBlock = 512 << 10

// awsRegions are where the tests upload to.
var awsRegions = []string{"us-east-1", "eu-west-1"}

// The real program publishes a build's disk. It is killed at one instant after the
// other and started again each time: in the end there is one snapshot and one AMI a
// region, amis has each once, only blocks with data were sent, and the disk that the
// snapshot holds boots.
func TestAWSUploadIsKilled(t *testing.T) {
	t.Parallel()
	needAll(t)
	e := newEnv(t)
	e.edit("image.yaml", func(text string) string { return strings.Replace(text, "size: 1\n", "size: 2\n", 1) })
	e.cosafs("build", "metal")
	id := e.latest()
	cloud, kill := e.awsCloud(map[string]int{"PutSnapshotBlock": 20, "CompleteSnapshot": 1, "RegisterImage": 1, "CopyImage": 1})
	kills := 0
	for e.awsUpload(kill) {
		kills++
	}
	if kills != 4 {
		t.Errorf("killed %d times, want 4", kills)
	}
	snapshot := e.published(cloud, id)
	data := dataBlocks(t, filepath.Join(e.work, "builds", id, "x86_64", e.meta(id).Images["metal"].Path))
	if n := len(snapshot.Blocks); snapshot.Size != 2 || n < data-4 || n > data+4 { // the copy of the partition table moves
		t.Errorf("the snapshot of %d GiB has %d blocks; the disk has %d with data", snapshot.Size, n, data)
	}
	if puts := cloud.Count("PutSnapshotBlock"); puts > len(snapshot.Blocks)+16 { // in flight at the kill
		t.Errorf("%d puts for %d blocks", puts, len(snapshot.Blocks))
	}
	e.cosafs("aws", "upload", "--region", strings.Join(awsRegions, ","))
	e.published(cloud, id)
	e.boots(tinyos.BootConfig{Disk: e.diskOf(snapshot), Format: "raw"}, e.meta(id).Commit, "aws")
	e.imports(cloud, id)
	if n := e.vmRuns(); n != 1 {
		t.Errorf("%d disks were written, want 1", n)
	}
}

// imports publishes the build by way of a bucket, under another name: its VMDK is made
// and recorded for that.
func (e *env) imports(cloud *awstest.Cloud, id string) {
	e.Helper()
	server := s3server.Start(e)
	e.environ = append(e.environ, "AWS_ENDPOINT_URL_S3="+server.Endpoint, "AWS_ACCESS_KEY_ID="+s3server.Access, "AWS_SECRET_ACCESS_KEY="+s3server.Secret)
	e.cosafs("aws", "upload", id, "--name", "imported", "--bucket", "s3://"+s3server.Private)
	images := cloud.Images(awsRegions[0])
	if n := cloud.Imports(awsRegions[0]); n != 1 || len(images) != 2 || images[1].Name != "imported" {
		e.Errorf("%d imports; AMIs: %v", n, images)
	}
	e.intact(id)
	if _, ok := e.meta(id).Images["aws"]; !ok {
		e.Error("the VMDK that AWS imported is not recorded")
	}
}

// awsCloud serves a cloud to the program. The nth call of an action waits until the
// caller, who hears of it on kill, has killed the program.
func (e *env) awsCloud(at map[string]int) (cloud *awstest.Cloud, kill chan chan struct{}) {
	e.Helper()
	kill = make(chan chan struct{})
	cloud = awstest.New()
	cloud.Looks = 0 // nothing takes time
	cloud.Fault = func(call awstest.Call) awstest.Fault {
		if at[call.Action] != call.N {
			return awstest.None
		}
		dead := make(chan struct{})
		kill <- dead
		<-dead
		return awstest.Cut
	}
	server := httptest.NewServer(cloud)
	e.Cleanup(server.Close)
	e.environ = append(e.environ, "AWS_ENDPOINT_URL="+server.URL, "AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=secret",
		"AWS_CONFIG_FILE="+filepath.Join(e.dir, "none"))
	return cloud, kill
}

// awsUpload runs an upload until its end, or until it is to be killed.
func (e *env) awsUpload(kill <-chan chan struct{}) (killed bool) {
	e.Helper()
	cmd := e.command(shared.cosafs, "--workdir", e.work, "imageupload-aws", "--region", strings.Join(awsRegions, ","))
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		e.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case dead := <-kill:
		e.mustKill(cmd, ended)
		close(dead)
		return true
	case err := <-ended:
		if err != nil {
			e.Fatalf("aws upload: %v\n%s", err, &said)
		}
		return false
	}
}

// mustKill kills a program that would go on.
func (e *env) mustKill(cmd *exec.Cmd, ended <-chan error) {
	e.Helper()
	if err := cmd.Process.Kill(); err != nil {
		e.Error(err)
	}
	if err := <-ended; err == nil {
		e.Error("a killed program ended well")
	}
}

// published checks that each region has one snapshot and one AMI, and that meta.json
// says so. It gives the first region's snapshot.
func (e *env) published(cloud *awstest.Cloud, id string) awstest.Snapshot {
	e.Helper()
	var meta struct {
		AMIs []struct{ Name, HVM, Snapshot string } `json:"amis"`
	}
	if err := json.Unmarshal([]byte(e.sh("cat", filepath.Join(e.work, "builds", id, "x86_64", "meta.json"))), &meta); err != nil {
		e.Fatal(err)
	}
	if len(meta.AMIs) != len(awsRegions) {
		e.Fatalf("amis: %v", meta.AMIs)
	}
	for i, region := range awsRegions {
		snapshots, images, ami := cloud.Snapshots(region), cloud.Images(region), meta.AMIs[i]
		if len(snapshots) != 1 || len(images) != 1 || !images[0].Available || !snapshots[0].Completed {
			e.Fatalf("%s: %d snapshots, AMIs: %v", region, len(snapshots), images)
		}
		if ami.Name != region || ami.HVM != images[0].ID || ami.Snapshot != snapshots[0].ID || images[0].Snapshot != ami.Snapshot {
			e.Errorf("%s has %v of %s; recorded is %v", region, images[0], snapshots[0].ID, ami)
		}
	}
	return cloud.Snapshots(awsRegions[0])[0]
}

// diskOf writes a snapshot as the volume that an instance gets.
func (e *env) diskOf(s awstest.Snapshot) string {
	e.Helper()
	path := filepath.Join(e.dir, "volume.raw")
	f, err := os.Create(path)
	if err != nil {
		e.Fatal(err)
	}
	if err := f.Truncate(s.Size << 30); err != nil {
		e.Fatal(err)
	}
	for i, p := range s.Blocks {
		if _, err := f.WriteAt(p, i*awsBlock); err != nil {
			e.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		e.Fatal(err)
	}
	return path
}

// dataBlocks counts the blocks of a file that hold anything but zeros.
func dataBlocks(t *testing.T, path string) (n int) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // read only
	for p := make([]byte, awsBlock); ; {
		got, err := io.ReadFull(f, p)
		if bytes.Count(p[:got], []byte{0}) < got {
			n++
		}
		if err != nil {
			return n
		}
	}
}
