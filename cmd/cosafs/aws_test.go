package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cosafs/cmd/internal/ami"
	"cosafs/index"
	"cosafs/materialize"
	"cosafs/materialize/aws"
	"cosafs/materialize/aws/awstest"
	"cosafs/materialize/disk/view"
	"cosafs/test/s3server"
)

// awsDir makes a build directory whose one build has the given amis.
func awsDir(t *testing.T, amis ...index.AMI) string {
	t.Helper()
	m := index.NewMeta()
	for key, value := range map[string]string{
		"buildid": "1.0", "name": "tiny", "ostree-version": "1.0", "ostree-timestamp": "2026-01-02T03:04:05Z",
		"ostree-commit": strings.Repeat("a", 64), "coreos-assembler.basearch": "x86_64",
	} {
		if err := m.Set(key, value); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.AddAMIs(amis); err != nil {
		t.Fatal(err)
	}
	list := index.NewBuilds()
	if err := list.Insert("1.0", "x86_64"); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range map[string][]byte{
		"builds/builds.json": list.Bytes(), "builds/1.0/x86_64/meta.json": m.Bytes(),
		"src/config/image.yaml": []byte("size: 1\n"), "src/config/manifest.yaml": []byte("ref: tiny\n"), "cache/x": nil, "tmp/x": nil,
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// awsCloud serves a cloud to the program, as the environment tells it.
func awsCloud(t *testing.T) (*awstest.Cloud, *aws.Account) {
	t.Helper()
	cloud := awstest.New()
	cloud.Looks = 0 // nothing takes time
	server := httptest.NewServer(cloud)
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": server.URL, "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_PROFILE": "",
		"AWS_CONFIG_FILE": filepath.Join(t.TempDir(), "none"), "XDG_RUNTIME_DIR": t.TempDir(),
	} {
		t.Setenv(name, value)
	}
	return cloud, aws.NewAccount(awstest.Config(server.URL, server.Client()))
}

// cosafs runs the program.
func cosafs(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, complaint bytes.Buffer
	code = run(t.Context(), append([]string{"cosafs"}, args...), strings.NewReader(""), &out, &complaint, os.Environ())
	return code, out.String(), complaint.String()
}

// amisOf reads what meta.json records.
func amisOf(t *testing.T, dir string) []index.AMI {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "builds/1.0/x86_64/meta.json"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := index.ParseMeta(b)
	if err != nil {
		t.Fatal(err)
	}
	amis, err := m.AMIs()
	if err != nil {
		t.Fatal(err)
	}
	return amis
}

// What another program published under cosa's name is taken, copied and recorded,
// once: no disk is needed for that.
func TestAWSUploadAndReplicate(t *testing.T) {
	cloud, account := awsCloud(t)
	u, err := account.Uploader(aws.Config{Name: "tiny-1.0-x86_64", Arch: "x86_64", Regions: []string{"us-east-1"}})
	if err != nil {
		t.Fatal(err)
	}
	disk := func(_ context.Context, use func(view.Image) error) error { return use(view.Bytes([]byte("a disk"))) }
	first, err := u.Upload(t.Context(), disk, &materialize.Task{})
	if err != nil {
		t.Fatal(err)
	}
	dir := awsDir(t)
	line := func(a index.AMI) string { return a.Region + " " + a.HVM + " " + a.Snapshot + "\n" }
	for range 2 {
		code, out, complaint := cosafs(t, "-C", dir, "buildextend-aws", "--upload", "--arch", "x86_64", "--build", "1.0")
		if want := line(index.AMI(first[0])); code != 0 || out != want {
			t.Fatalf("code %d, %q, want %q\n%s", code, out, want, complaint)
		}
		if diff := cmp.Diff([]index.AMI{index.AMI(first[0])}, amisOf(t, dir)); diff != "" {
			t.Fatalf("amis (-want +got):\n%s", diff)
		}
	}
	code, out, complaint := cosafs(t, "aws-replicate", "-C", dir, "--arch", "x86_64", "--region", "eu-west-1,us-east-1", "--json")
	var rep struct{ AMIs []index.AMI }
	if err := json.Unmarshal([]byte(out), &rep); code != 0 || err != nil || len(rep.AMIs) != 1 || rep.AMIs[0].Region != "eu-west-1" {
		t.Fatalf("code %d, %s, %v\n%s", code, out, err, complaint)
	}
	if diff := cmp.Diff(append([]index.AMI{index.AMI(first[0])}, rep.AMIs...), amisOf(t, dir)); diff != "" {
		t.Errorf("amis (-want +got):\n%s", diff)
	}
	if n := len(cloud.Images("eu-west-1")); n != 1 {
		t.Errorf("%d AMIs in eu-west-1", n)
	}
	code, out, complaint = cosafs(t, "-C", dir, "--arch", "x86_64", "aws", "replicate", "--region", "eu-west-1", "--json")
	if code != 0 || !strings.Contains(out, `"amis": []`) || !strings.Contains(complaint, "already") {
		t.Errorf("with nothing to do: code %d, %s%s", code, out, complaint)
	}
}

// With a bucket the recorded VMDK is what AWS imports, from a real S3 server; and then
// it is gone from there.
func TestAWSImport(t *testing.T) {
	cloud, _ := awsCloud(t)
	server := s3server.Start(t)
	t.Setenv("AWS_ENDPOINT_URL_S3", server.Endpoint)
	t.Setenv("AWS_ACCESS_KEY_ID", s3server.Access)
	t.Setenv("AWS_SECRET_ACCESS_KEY", s3server.Secret)
	dir := awsDir(t)
	vmdk := bytes.Repeat([]byte("a VMDK"), 1<<20)
	recordVMDK(t, filepath.Join(dir, "builds/1.0/x86_64"), vmdk)
	object := server.Object(s3server.Private, "ami/tiny-1.0-aws.x86_64.vmdk")
	cloud.Fault = func(call awstest.Call) awstest.Fault {
		if got, err := os.ReadFile(object); call.Action == "ImportSnapshot" && (err != nil || !bytes.Equal(got, vmdk)) {
			t.Errorf("at the import the bucket has %d bytes: %v", len(got), err)
		}
		return awstest.None
	}
	code, out, complaint := cosafs(t, "-C", dir, "--arch", "x86_64", "aws", "upload", "--bucket", "s3://"+s3server.Private+"/ami")
	amis := amisOf(t, dir)
	if code != 0 || len(amis) != 1 || out != amis[0].Region+" "+amis[0].HVM+" "+amis[0].Snapshot+"\n" {
		t.Fatalf("code %d, %samis %v\n%s", code, out, amis, complaint)
	}
	if _, err := os.Stat(object); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after the import: %v", err)
	}
	if n := cloud.Imports("us-east-1"); n != 1 {
		t.Errorf("%d imports", n)
	}
}

// recordVMDK records the artifact aws in a build's directory.
func recordVMDK(t *testing.T, dir string, content []byte) {
	t.Helper()
	const file = "tiny-1.0-aws.x86_64.vmdk"
	path := filepath.Join(dir, "meta.json")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m, err := index.ParseMeta(b)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(content)
	im := index.Image{Path: file, SHA256: hex.EncodeToString(sum[:]), Size: int64(len(content)), UncompressedSize: -1}
	for _, kind := range []index.Kind{ami.Kind, index.Kind(materialize.KindOSTree)} { // a build has the latter
		if err := m.SetImage(kind, im); err != nil {
			t.Fatal(err)
		}
	}
	for path, content := range map[string][]byte{path: m.Bytes(), filepath.Join(dir, file): content} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAWSDryRun(t *testing.T) {
	cloud, _ := awsCloud(t)
	cloud.Fault = func(call awstest.Call) awstest.Fault { t.Errorf("sent %v", call); return awstest.Deny }
	dir := awsDir(t, index.AMI{Region: "us-east-1", HVM: "ami-1", Snapshot: "snap-1"})
	for _, tt := range []struct{ args, want string }{
		{"upload --bucket s3://b/p --dry-run --public", "us-east-1 ImportSnapshot"},
		{"upload --bucket s3://b/p --dry-run --region r1 --region r2 --tags a=b", "r2 CopyImage"},
		{"replicate -n --region eu-west-1", `eu-west-1 CopyImage {`},
	} {
		code, out, complaint := cosafs(t, append([]string{"-C", dir, "--arch", "x86_64", "aws"}, strings.Fields(tt.args)...)...)
		if code != 0 || !strings.Contains(out, tt.want) {
			t.Errorf("%s: code %d, %s%s", tt.args, code, out, complaint)
		}
	}
	if n := len(amisOf(t, dir)); n != 1 {
		t.Errorf("%d AMIs are recorded", n)
	}
}

func TestAWSRefuses(t *testing.T) {
	cloud, _ := awsCloud(t)
	dir := awsDir(t)
	for _, tt := range []struct {
		args, want string
		code       int
	}{
		{"upload 9.9", "9.9", exitFailure},
		{"upload --tags a", "KEY=VALUE", exitUsage},
		{"upload 1.0 2.0", "unexpected", exitUsage},
		{"upload --build 1.0 1.0", "twice", exitUsage},
		{"upload --bucket b", "s3://BUCKET", exitFailure},
		{"replicate", "hint: cosafs aws upload", exitFailure},
		{"replicate -n", "--region", exitUsage},
		{"download", "upload or replicate", exitUsage},
	} {
		code, out, complaint := cosafs(t, append([]string{"-C", dir, "--arch", "x86_64", "aws"}, strings.Fields(tt.args)...)...)
		if code != tt.code || out != "" || !strings.Contains(complaint, tt.want) || !strings.Contains(complaint, "hint: ") {
			t.Errorf("%s: code %d, %s%s", tt.args, code, out, complaint)
		}
	}
	cloud.Fault = func(awstest.Call) awstest.Fault { return awstest.Deny }
	code, _, complaint := cosafs(t, "-C", dir, "--arch", "x86_64", "aws", "upload")
	if code != exitFailure || !strings.Contains(complaint, "hint: ask for the permission") {
		t.Errorf("denied: code %d, %s", code, complaint)
	}
}
