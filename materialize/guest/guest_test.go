package guest_test

import (
	"errors"
	"strings"
	"testing"

	"cosafs/materialize/guest"
)

func TestMainOutsideTheAppliance(t *testing.T) {
	if err := guest.Main(t.Context()); !errors.Is(err, guest.ErrNotInit) {
		t.Errorf("got %v, want ErrNotInit", err)
	}
}

func TestPlatformField(t *testing.T) {
	tests := []struct {
		name, id string
		kargs    []string
		want     string // "" = an error
	}{
		{"id", "metal", nil, "ignition.platform.id=metal"},
		{"arguments", "gcp", []string{"console=ttyS0", "quiet"}, "ignition.platform.id=gcp console=ttyS0 quiet"},
		{"too long", "x", []string{strings.Repeat("y", guest.FieldWidth)}, ""},
		{"two lines", "x\nlinux /evil", nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := guest.PlatformField(tt.id, tt.kargs...)
			if tt.want == "" {
				if err == nil {
					t.Errorf("got %q, want an error", got)
				}
				return
			}
			if err != nil || len(got) != guest.FieldWidth || strings.TrimRight(string(got), " ") != tt.want {
				t.Errorf("got %q, %v; want %q and spaces up to %d bytes", got, err, tt.want, guest.FieldWidth)
			}
		})
	}
}
