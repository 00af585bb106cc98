package compose

import (
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cosafs/materialize"
)

func TestPhases(t *testing.T) {
	tests := []struct {
		name   string
		pieces []string
		want   []string
	}{
		{"lines", []string{"Importing rpm-md...done\nResolving dependencies...done\n"}, []string{"reading metadata", "resolving dependencies"}},
		{"unfinished line", []string{"Comm", "itting", "..."}, []string{"committing"}},
		{"terminal", []string{"\u2801 Importing rpm-md   0% [\u2591] (0s)\r\x1b[2K\u2809 Importing rpm-md 100%\r\x1b[2KResolving dependencies... done\n"},
			[]string{"reading metadata", "resolving dependencies"}},
		{"never back", []string{"Writing rpmdb...done\nRunning post scripts...done\n"}, []string{"writing rpmdb"}},
		{"a script's words", []string{"app.post: Committing crimes\n"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			p := &phases{task: &materialize.Task{Progress: func(phase string, _ float64) { got = append(got, phase) }}}
			for _, piece := range tt.pieces {
				if _, err := io.WriteString(p, piece); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
