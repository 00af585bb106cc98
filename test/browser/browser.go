// Package browser drives Chromium for tests: scripts in JavaScript over
// playwright-core, with the system's own browser and node.
package browser

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"cosafs/test/need"
)

// The release of playwright-core: the newest that runs on Debian 12's node. Its
// bytes are those that the npm registry tells of.
const (
	release   = "1.60.0"
	archive   = "https://registry.npmjs.org/playwright-core/-/playwright-core-" + release + ".tgz"
	integrity = "9bW6zvX/m0lEbgTKJ6YppOKx8H3VOPBMOCFh2irXFOT4BbHgrx5hPjwJYLT40Lu+4qtD36qKc/Hn56StUW57IA=="
)

// executable is Debian's browser.
const executable = "/usr/bin/chromium"

// Run runs a script, which gets args after its name and finds the module in the
// environment as PLAYWRIGHT and the browser as CHROMIUM. It gives what the script
// printed; a script that fails ends the test.
func Run(tb testing.TB, script string, args ...string) string {
	tb.Helper()
	need.Tool(tb, "node", executable)
	module, err := install(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.CommandContext(tb.Context(), "node", append([]string{script}, args...)...)
	cmd.Env = append(os.Environ(), "PLAYWRIGHT="+filepath.Join(module, "index.mjs"), "CHROMIUM="+executable)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		tb.Fatalf("%s: %v\n%s%s", filepath.Base(script), err, stdout.String(), stderr.String())
	}
	return stdout.String()
}

// install gives the directory of the module, which is fetched once a machine.
func install(ctx context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find cache: %w", err)
	}
	parent := filepath.Join(cache, "cosafs", "test")
	dir := filepath.Join(parent, "playwright-core-"+release)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", err
	}
	data, err := fetch(ctx)
	if err != nil {
		return "", fmt.Errorf("fetch playwright-core: %w", err)
	}
	tmp, err := os.MkdirTemp(parent, "unpack-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(tmp) }() // what was not renamed
	if err := unpack(data, tmp); err != nil {
		return "", fmt.Errorf("unpack playwright-core: %w", err)
	}
	err = os.Rename(filepath.Join(tmp, "package"), dir)
	if errors.Is(err, os.ErrExist) {
		err = nil // another test was faster
	}
	return dir, err
}

// fetch gets the archive, and checks it.
func fetch(ctx context.Context) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, archive, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }() // read to its end
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	sum := sha512.Sum512(data)
	if got := base64.StdEncoding.EncodeToString(sum[:]); res.StatusCode != http.StatusOK || got != integrity {
		return nil, fmt.Errorf("%s: %s, sha512 %s", archive, res.Status, got)
	}
	return data, nil
}

// unpack unpacks a compressed archive below dir.
func unpack(data []byte, dir string) error {
	zr, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // a directory
	tr := tar.NewReader(zr)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		data, err := io.ReadAll(tr)
		if err == nil {
			err = root.MkdirAll(filepath.Dir(h.Name), 0o755)
		}
		if err == nil {
			err = root.WriteFile(h.Name, data, 0o644)
		}
		if err != nil {
			return err
		}
	}
}
