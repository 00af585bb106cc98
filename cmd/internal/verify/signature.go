package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"cosafs/materialize"
)

// A keyring checks signatures with gpgv, which trusts every key of its keyring and
// none besides.
type keyring struct {
	home string // gpgv's directory for this Run; it holds the keys
	gpgv string
}

// openKeyring copies a file of keys, as gpg exports them: binary, or in ASCII
// armour, which gpgv does not read by itself.
func openKeyring(path string) (*keyring, error) {
	gpgv, err := exec.LookPath("gpgv")
	if err != nil {
		return nil, materialize.Fail(materialize.ClassTool, "verify signatures", "install gpgv", err)
	}
	keys, err := os.ReadFile(path)
	if err == nil {
		keys, err = dearmor(keys)
	}
	if err != nil {
		return nil, materialize.Fail(materialize.ClassConfig, "read the keys of "+path, "give a file that gpg --export made", err)
	}
	home, err := os.MkdirTemp("", "cosafs-gpgv-")
	if err != nil {
		return nil, err
	}
	k := &keyring{home: home, gpgv: gpgv}
	if err := os.WriteFile(k.keys(), keys, 0o600); err != nil {
		return nil, errors.Join(err, k.close())
	}
	return k, nil
}

func (k *keyring) keys() string { return filepath.Join(k.home, "keys.gpg") }

func (k *keyring) close() error { return os.RemoveAll(k.home) }

// checks gives a reader that compares bytes with a detached signature.
func (k *keyring) checks(sig []byte) reader {
	return func(ctx context.Context, r io.Reader) error {
		file, err := k.temp(sig)
		if err != nil {
			return err
		}
		defer func() { _ = os.Remove(file) }() // its directory goes at the end anyway
		cmd := exec.CommandContext(ctx, k.gpgv, "--homedir", k.home, "--keyring", k.keys(), "--", file, "-")
		cmd.Env = append(os.Environ(), "LC_ALL=C")
		cmd.Stdin = r
		out, err := cmd.CombinedOutput()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.As(err, new(*exec.ExitError)) {
			return fmt.Errorf("%w: signature: %s", errWrong, complaint(out, err))
		}
		return err
	}
}

func (k *keyring) temp(sig []byte) (string, error) {
	f, err := os.CreateTemp(k.home, "*.sig")
	if err != nil {
		return "", err
	}
	_, err = f.Write(sig)
	return f.Name(), errors.Join(err, f.Close())
}

// complaint gives the last line of what gpgv said, which has its verdict.
func complaint(out []byte, err error) string {
	lines := strings.Split(strings.TrimSpace(string(bytes.ToValidUTF8(out, nil))), "\n")
	if last := strings.TrimPrefix(lines[len(lines)-1], "gpgv: "); last != "" {
		return last
	}
	return err.Error()
}
