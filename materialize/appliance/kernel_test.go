package appliance_test

import (
	"os"
	"path/filepath"
	"testing"

	"cosafs/materialize"
	"cosafs/materialize/appliance"
)

func TestFindKernel(t *testing.T) {
	tests := []struct {
		name    string
		kernels []string // with modules
		bare    []string // without
		want    string   // "" = a failure
	}{
		{name: "none"},
		{name: "without modules", bare: []string{"boot/vmlinuz-6.1.0-1-amd64"}},
		{
			name:    "newest by number",
			kernels: []string{"boot/vmlinuz-6.1.0-9-amd64", "boot/vmlinuz-6.1.0-10-amd64"},
			want:    "boot/vmlinuz-6.1.0-10-amd64",
		},
		{
			name:    "cloud first",
			kernels: []string{"boot/vmlinuz-6.1.0-9-cloud-amd64", "boot/vmlinuz-6.1.0-10-amd64"},
			want:    "boot/vmlinuz-6.1.0-9-cloud-amd64",
		},
		{
			name:    "as Fedora has it",
			kernels: []string{"usr/lib/modules/6.12.4-200.fc41.x86_64/vmlinuz"},
			want:    "usr/lib/modules/6.12.4-200.fc41.x86_64/vmlinuz",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			for _, k := range append(tt.bare, tt.kernels...) {
				put(t, filepath.Join(root, k))
			}
			for _, k := range tt.kernels {
				release := filepath.Base(k)[len("vmlinuz"):]
				if release == "" {
					release = "-" + filepath.Base(filepath.Dir(k))
				}
				put(t, filepath.Join(root, "lib/modules", release[1:], "modules.dep"))
			}
			got, err := appliance.FindKernel(root)
			if tt.want == "" {
				wantClass(t, err, materialize.ClassTool)
				return
			}
			if want := filepath.Join(root, tt.want); err != nil || got != want {
				t.Errorf("got %s, %v; want %s", got, err, want)
			}
		})
	}
}

// put makes an empty file.
func put(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
}
