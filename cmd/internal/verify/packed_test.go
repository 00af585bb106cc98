package verify_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"cosafs/backend/backendtest"
	"cosafs/backend/memstore"
	"cosafs/cmd/internal/verify"
	"cosafs/test/need"
)

func gzipped(t *testing.T, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write(data)
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zstded(t *testing.T, data []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(data, nil)
}

func xzed(t *testing.T, data []byte) []byte {
	t.Helper()
	need.Tool(t, "xz")
	cmd := exec.CommandContext(t.Context(), "xz", "--stdout")
	cmd.Stdin = bytes.NewReader(data)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// The compressed bytes are right in all of these: what is in them is not.
func TestVerifyUncompressed(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789"), 100_000)
	for suffix, pack := range map[string]func(*testing.T, []byte) []byte{".gz": gzipped, ".zst": zstded, ".xz": xzed} {
		t.Run(suffix, func(t *testing.T) {
			var s memstore.Store
			packed := pack(t, data)
			fill(t, &s, "1.1",
				image{kind: "a", path: "right" + suffix, data: packed, uncompressed: sum(data)},
				image{kind: "b", path: "other" + suffix, data: packed, uncompressed: sum([]byte("other"))},
				image{kind: "c", path: "cut" + suffix, data: packed[:len(packed)/2], uncompressed: sum(data)},
				image{kind: "d", path: "none" + suffix, data: []byte("not compressed at all"), uncompressed: sum(data)},
				image{kind: "e", path: "plain" + suffix, data: []byte("nothing recorded")},
			)
			all := "right" + suffix + " other" + suffix + " cut" + suffix + " none" + suffix + " plain" + suffix
			want(t, run(t, verify.Options{Store: &s}), "builds.json meta.json "+all, "", "", "")
			want(t, run(t, verify.Options{Store: &s, Uncompressed: true}), "builds.json meta.json right"+suffix+" plain"+suffix,
				"other"+suffix+" cut"+suffix+" none"+suffix, "", "")
		})
	}
}

// A machine without xz knows nothing about what xz packed.
func TestVerifyWithoutXZ(t *testing.T) {
	var s memstore.Store
	fill(t, &s, "1.1", image{kind: "a", path: "a.xz", data: xzed(t, []byte("data")), uncompressed: sum([]byte("data"))})
	t.Setenv("PATH", t.TempDir())
	want(t, run(t, verify.Options{Store: &s, Uncompressed: true}), "builds.json meta.json", "", "", "a.xz")
}

// gpg makes keys and signatures in a home of its own.
type gpg struct {
	t    *testing.T
	home string
}

func newGPG(t *testing.T) gpg {
	t.Helper()
	need.Tool(t, "gpg", "gpgv")
	g := gpg{t, t.TempDir()}
	t.Cleanup(func() {
		// The agent ends when its home does, at the latest.
		_ = exec.Command("gpgconf", "--homedir", g.home, "--kill", "all").Run()
	})
	g.run(nil, "--passphrase", "", "--quick-generate-key", "builder@example.com", "ed25519", "sign", "never")
	return g
}

func (g gpg) run(stdin []byte, args ...string) []byte {
	g.t.Helper()
	cmd := exec.CommandContext(g.t.Context(), "gpg", append([]string{"--homedir", g.home, "--batch", "--quiet", "--pinentry-mode", "loopback"}, args...)...)
	cmd.Stdin = bytes.NewReader(stdin)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		g.t.Fatalf("gpg: %v: %s", err, said.String())
	}
	return out
}

func (g gpg) sign(data []byte) []byte {
	g.t.Helper()
	return g.run(data, "--detach-sign", "--output", "-", "-")
}

// export writes the public key to a file.
func (g gpg) export(args ...string) string {
	g.t.Helper()
	file := filepath.Join(g.t.TempDir(), "keys")
	if err := os.WriteFile(file, g.run(nil, append(args, "--export")...), 0o644); err != nil {
		g.t.Fatal(err)
	}
	return file
}

func TestVerifySignatures(t *testing.T) {
	ours, theirs := newGPG(t), newGPG(t)
	var s memstore.Store
	data := bytes.Repeat([]byte("signed"), 200_000)
	fill(t, &s, "1.1",
		image{kind: "a", path: "signed", data: data},
		image{kind: "b", path: "unsigned", data: data},
		image{kind: "c", path: "stranger", data: data},
		image{kind: "d", path: "other", data: data},
		image{kind: "e", path: "garbage", data: data},
		image{kind: "f", path: "signed.gz", data: gzipped(t, data), uncompressed: sum(data)},
	)
	for name, sig := range map[string][]byte{
		"signed": ours.sign(data), "stranger": theirs.sign(data), "other": ours.sign([]byte("other")), "garbage": []byte("x"),
		"signed.gz": ours.sign(gzipped(t, data)),
	} {
		put(t, &s, "1.1/x86_64/"+name+".sig", sig)
	}
	for name, keys := range map[string]string{"binary": ours.export(), "armoured": ours.export("--armor")} {
		t.Run(name, func(t *testing.T) {
			r := run(t, verify.Options{Store: &s, Keyring: keys, Uncompressed: true})
			want(t, r, "builds.json meta.json signed signed.gz", "unsigned stranger other garbage", "", "")
		})
	}
	// Two blocks in one file, as distributions ship their keys.
	both := filepath.Join(t.TempDir(), "both")
	text := append(theirs.run(nil, "--armor", "--export"), ours.run(nil, "--armor", "--export")...)
	if err := os.WriteFile(both, text, 0o644); err != nil {
		t.Fatal(err)
	}
	want(t, run(t, verify.Options{Store: &s, Keyring: both}), "builds.json meta.json signed stranger signed.gz", "unsigned other garbage", "", "")
}

// A connection that is cut says nothing about the image, whoever reads it.
func TestVerifyCutUncompressed(t *testing.T) {
	var s memstore.Store
	data := bytes.Repeat([]byte("0123456789"), 1000)
	fill(t, &s, "1.1", image{kind: "a", path: "a.gz", data: gzipped(t, data), uncompressed: sum(data)})
	f := backendtest.Faulty(&s, backendtest.Fault{Op: backendtest.Open, Key: "1.1/x86_64/a.gz", At: 30, Err: errors.New("cut")})
	want(t, run(t, verify.Options{Store: f, Uncompressed: true}), "builds.json meta.json", "", "", "a.gz")
}
