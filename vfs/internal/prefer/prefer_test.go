package prefer_test

import (
	"net/http"
	"testing"

	"cosafs/vfs/internal/prefer"
)

func TestOf(t *testing.T) {
	for _, tt := range []struct {
		lines []string
		want  prefer.Preference
	}{
		{nil, prefer.Preference{}},
		{[]string{"respond-async"}, prefer.Preference{Async: true}},
		{[]string{"Respond-Async; x=1, wait=10"}, prefer.Preference{Async: true, Wait: "10"}},
		{[]string{`handling=lenient, wait="5"`, "respond-async"}, prefer.Preference{Async: true, Wait: "5"}},
		{[]string{"respond-asynchronously", "waiting=3"}, prefer.Preference{}},
	} {
		if got := prefer.Of(http.Header{"Prefer": tt.lines}); got != tt.want {
			t.Errorf("%q: %+v, want %+v", tt.lines, got, tt.want)
		}
	}
}
