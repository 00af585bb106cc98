package guest

import (
	"errors"
	"slices"
	"testing"

	"cosafs/materialize"
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

func TestPickExtents(t *testing.T) {
	const start = 1 << 20 // of the partition
	tests := []struct {
		name       string
		extents    []fiemapExtent
		at, length int64
		want       []materialize.Extent // nil = errOddExtent
	}{
		{
			name: "inside one block", extents: []fiemapExtent{{Logical: 0, Physical: 8192, Length: 4096, Flags: 1}},
			at: 100, length: 256, want: []materialize.Extent{{Offset: start + 8192 + 100, Length: 256}},
		},
		{
			name: "across two", extents: []fiemapExtent{
				{Logical: 0, Physical: 8192, Length: 4096}, {Logical: 4096, Physical: 40960, Length: 4096},
			},
			at: 4000, length: 256,
			want: []materialize.Extent{{Offset: start + 8192 + 4000, Length: 96}, {Offset: start + 40960, Length: 160}},
		},
		{name: "inline", extents: []fiemapExtent{{Length: 4096, Flags: 0x200}}, at: 0, length: 256},
		{name: "hole before", extents: []fiemapExtent{{Logical: 4096, Length: 4096}}, at: 4000, length: 256},
		{name: "hole after", extents: []fiemapExtent{{Logical: 0, Length: 4096}}, at: 4000, length: 256},
		{name: "nothing", at: 0, length: 256},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := pick(tt.extents, tt.at, tt.length, start)
			if tt.want == nil {
				if !errors.Is(err, errOddExtent) {
					t.Errorf("got %v, %v; want errOddExtent", got, err)
				}
				return
			}
			if err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("got %v, %v; want %v", got, err, tt.want)
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
