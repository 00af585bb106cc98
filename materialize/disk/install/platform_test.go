package install

import (
	"slices"
	"testing"
)

func TestAddField(t *testing.T) {
	tests := []struct {
		name, entry, want string // want "" = an error
	}{
		{"middle", "title x\noptions a b\nlinux /k\n", "title x\noptions a b FIELD\nlinux /k\n"},
		{"first", "options a\ntitle x\n", "options a FIELD\ntitle x\n"},
		{"last, no newline", "title x\noptions a", "title x\noptions a FIELD"},
		{"no options", "title my\nlinux /options a\n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, at, err := addField([]byte(tt.entry), []byte("FIELD"))
			if tt.want == "" {
				if err == nil {
					t.Errorf("got %q, want an error", got)
				}
				return
			}
			if err != nil || string(got) != tt.want {
				t.Fatalf("got %q, %v; want %q", got, err, tt.want)
			}
			if field := string(got[at : at+5]); field != "FIELD" {
				t.Errorf("at %d is %q", at, field)
			}
		})
	}
}

func TestKernelArguments(t *testing.T) {
	plain := (&Job{Kargs: []string{"quiet"}}).kargs()
	if want := []string{"root=UUID=" + rootUUID, "rw", "quiet"}; !slices.Equal(plain, want) {
		t.Errorf("got %v, want %v", plain, want)
	}
	// Ignition changes the root's UUID, so it must not be there.
	first := (&Job{Kargs: []string{"quiet"}, Ignition: true}).kargs()
	if want := []string{"$ignition_firstboot", "quiet"}; !slices.Equal(first, want) {
		t.Errorf("got %v, want %v", first, want)
	}
}
