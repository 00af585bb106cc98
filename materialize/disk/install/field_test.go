package install_test

import (
	"strings"
	"testing"

	"cosafs/materialize/disk/install"
)

func TestPlatformField(t *testing.T) {
	tests := []struct {
		name, id string
		kargs    []string
		want     string // "" = an error
	}{
		{"id", "metal", nil, "ignition.platform.id=metal"},
		{"arguments", "gcp", []string{"console=ttyS0", "quiet"}, "ignition.platform.id=gcp console=ttyS0 quiet"},
		{"too long", "x", []string{strings.Repeat("y", install.FieldWidth)}, ""},
		{"two lines", "x\nlinux /evil", nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := install.PlatformField(tt.id, tt.kargs...)
			if tt.want == "" {
				if err == nil {
					t.Errorf("got %q, want an error", got)
				}
				return
			}
			if err != nil || len(got) != install.FieldWidth || strings.TrimRight(string(got), " ") != tt.want {
				t.Errorf("got %q, %v; want %q and spaces up to %d bytes", got, err, tt.want, install.FieldWidth)
			}
		})
	}
}
