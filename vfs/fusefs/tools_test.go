package fusefs_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cosafs/test/need"
	"cosafs/vfs/fusefs"
	"cosafs/vfs/vfstest"
)

// image is a disk image of unknown size in the trees of these tests.
const image = "43.1/x86_64/os-43.1-lazy.x86_64.qcow2"

// imageFixture gives a tree with a real qcow2 image that has to be made, and
// the image's bytes.
func imageFixture(t *testing.T, local bool) (vfstest.Fixture, []byte) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "image.qcow2")
	runTool(t, "", "qemu-img", "create", "-q", "-f", "qcow2", "-o", "preallocation=metadata", file, "16M")
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	f := vfstest.Default(t)
	f.Items = append(f.Items, vfstest.Item{Path: image, Kind: "lazy", File: file, Local: local, Buildable: true})
	return f, want
}

// runTool runs a program of this machine and gives what it printed.
func runTool(t *testing.T, dir string, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		need.Lacking(t, name, err)
	}
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("%s %q: %v: %s", name, args, err, stderr.String())
	}
	return string(out)
}

// A toolCase runs a program on the file at path, which has the bytes want.
type toolCase struct {
	name string
	run  func(t *testing.T, path string, want []byte)
}

const pythonMmap = `import mmap,hashlib,sys
with open(sys.argv[1],"rb") as f:
    m = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)
    print(hashlib.sha256(m).hexdigest())
`

const pythonSendfile = `import os,sys
src = os.open(sys.argv[1], os.O_RDONLY); dst = os.open(sys.argv[2], os.O_WRONLY|os.O_CREAT)
while os.sendfile(dst, src, None, 1<<20): pass
`

func toolCases() []toolCase {
	return []toolCase{
		{"cat", copies("sh", "-c", "cat 'SRC' > 'DST'")},
		{"cat to a pipe", copies("sh", "-c", "cat 'SRC' | cat > 'DST'")},
		{"cp", copies("cp", "SRC", "DST")},
		{"cp sparse", copies("cp", "--sparse=always", "SRC", "DST")},
		{"dd", copies("dd", "status=none", "bs=1M", "if=SRC", "of=DST")},
		{"dd direct", copies("dd", "status=none", "bs=1M", "iflag=direct", "if=SRC", "of=DST")},
		{"install", copies("install", "SRC", "DST")},
		{"rsync", copies("rsync", "--inplace", "SRC", "DST")},
		{"python sendfile", copies("python3", "-c", pythonSendfile, "SRC", "DST")},
		{"qemu-img convert", copies("qemu-img", "convert", "-f", "raw", "-O", "raw", "SRC", "DST")},
		{"tail", prints(func(b []byte) string { return string(b[len(b)-100:]) }, "tail", "-c", "100")},
		{"wc", prints(func(b []byte) string { return fmt.Sprint(len(b)) }, "wc", "-c")},
		{"sha256sum", prints(sum, "sha256sum")},
		{"python mmap", prints(sum, "python3", "-c", pythonMmap)},
		{"qemu-img check", prints(func([]byte) string { return "No errors were found" }, "qemu-img", "check")},
		{"qemu-img info", qemuImgInfo},
		{"go", goReadFile},
	}
}

// TestToolsOnUnknownSize: each program meets an image of which nobody knows the
// size yet, after a look at it, and has to get every byte.
func TestToolsOnUnknownSize(t *testing.T) {
	for _, local := range []bool{true, false} {
		for _, c := range toolCases() {
			t.Run(fmt.Sprintf("%s/local=%v", c.name, local), func(t *testing.T) {
				f, want := imageFixture(t, local)
				r := start(t, f)
				path := filepath.Join(r.Dir, image)
				if st, err := os.Stat(path); err != nil || st.Size() != 0 {
					t.Fatalf("Stat = %v, %v, want a file of unknown size", st, err)
				}
				c.run(t, path, want)
			})
		}
	}
}

func sum(b []byte) string { return fmt.Sprintf("%x", sha256.Sum256(b)) }

// copies runs a program that copies SRC to DST.
func copies(tool string, args ...string) func(*testing.T, string, []byte) {
	return func(t *testing.T, path string, want []byte) {
		t.Helper()
		out := filepath.Join(t.TempDir(), "copy")
		names := strings.NewReplacer("SRC", path, "DST", out)
		mine := make([]string, len(args))
		for i, a := range args {
			mine[i] = names.Replace(a)
		}
		runTool(t, "", tool, mine...)
		got, err := os.ReadFile(out)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("the copy has %d bytes, %v, want %d", len(got), err, len(want))
		}
	}
}

// prints runs a program on the file that has to print what expect says.
func prints(expect func([]byte) string, tool string, args ...string) func(*testing.T, string, []byte) {
	return func(t *testing.T, path string, want []byte) {
		t.Helper()
		got := runTool(t, "", tool, append(slices.Clone(args), path)...)
		if e := expect(want); !strings.HasPrefix(got, e) {
			t.Errorf("%s prints %.80q, want %.80q", tool, got, e)
		}
	}
}

func qemuImgInfo(t *testing.T, path string, want []byte) {
	t.Helper()
	var info struct {
		Format string `json:"format"`
		Size   int64  `json:"virtual-size"`
		Child  []struct {
			Info struct {
				Size int `json:"virtual-size"` // of the file
			} `json:"info"`
		} `json:"children"`
	}
	if err := json.Unmarshal([]byte(runTool(t, "", "qemu-img", "info", "--output=json", path)), &info); err != nil {
		t.Fatal(err)
	}
	if info.Format != "qcow2" || info.Size != 16<<20 || len(info.Child) > 0 && info.Child[0].Info.Size != (len(want)+511)/512*512 {
		t.Errorf("qemu-img info says %+v", info)
	}
}

func goReadFile(t *testing.T, path string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("ReadFile gives %d bytes, %v, want %d", len(got), err, len(want))
	}
}

// TestCrawlersStartNothing: programs that look at everything open nothing.
func TestCrawlersStartNothing(t *testing.T) {
	r := start(t, vfstest.Default(t))
	db := filepath.Join(t.TempDir(), "db")
	for _, cmd := range [][]string{
		{"ls", "-lR", "."},
		{"ls", "--color=always", "-la", "43.1/x86_64"},
		{"find", ".", "-type", "f", "-size", "+1"},
		{"find", ".", "-empty"},
		{"du", "-a", "."},
		{"stat", "43.1/x86_64/os-43.1-metal.x86_64.raw"},
		{"updatedb", "-U", r.Dir, "-o", db, "-l", "no", "--prunefs", "", "--prunepaths", ""},
		{"rsync", "-n", "-a", "./", filepath.Join(t.TempDir(), "out")},
		{"tar", "cf", "/dev/null", "43.1", "43.2"},
		{"getfattr", "-dR", "."},
	} {
		t.Run(strings.Join(cmd[:2], " "), func(t *testing.T) {
			runTool(t, r.Dir, cmd[0], cmd[1:]...)
			reply, err := r.Do(vfstest.Command{Op: "counters"})
			if err != nil {
				t.Fatal(err)
			}
			if c := reply.Counters; c.Opens != 0 || c.Made != 0 || c.Bytes != 0 {
				t.Errorf("%s cost %+v, want nothing", cmd[0], c)
			}
		})
	}
}

// stats gives the mount's counters.
func stats(t *testing.T, r *vfstest.Remote) fusefs.Stats {
	t.Helper()
	reply, err := r.Do(vfstest.Command{Op: "counters"})
	if err != nil {
		t.Fatal(err)
	}
	var s fusefs.Stats
	if err := json.Unmarshal(reply.Stats, &s); err != nil {
		t.Fatal(err)
	}
	return s
}
