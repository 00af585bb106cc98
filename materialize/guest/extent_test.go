package guest

import (
	"errors"
	"slices"
	"testing"

	"cosafs/materialize"
)

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
