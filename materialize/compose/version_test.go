package compose_test

import (
	"testing"
	"time"

	"cosafs/materialize"
	"cosafs/materialize/compose"
)

func TestNextVersion(t *testing.T) {
	now := time.Date(2026, 1, 2, 23, 4, 5, 0, time.FixedZone("", -3600*5)) // 3 January in UTC
	tests := []struct{ name, prefix, suffix, previous, want string }{
		{"first", "10", "", "", "10"},
		{"second", "10", "", "10", "10.1"},
		{"third", "10", "", "10.1", "10.2"},
		{"past nine", "10", "", "10.9", "10.10"},
		{"longer counter", "10", "", "10.1.5", "10.2"},
		{"prefix moved", "11", "", "10.3", "11"},
		{"another number with the same digits", "1", "", "10.3", "1"},
		{"dated, first", "1.<date:%Y%m%d>", "", "", "1.20260103.0"},
		{"dated, same day", "1.<date:%Y%m%d>", "", "1.20260103.0", "1.20260103.1"},
		{"dated, counted", "1.<date:%Y%m%d>", "", "1.20260103.41", "1.20260103.42"},
		{"dated, next day", "1.<date:%Y%m%d>", "", "1.20260102.7", "1.20260103.0"},
		{"suffix", "10", "-", "10-4", "10-5"},
		{"conversions", "<date:%y-%j-%H%M-%V-%u-%s-%%>", "", "", "26-003-0404-01-6-1767413045-%.0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := compose.NextVersion(tt.prefix, tt.suffix, tt.previous, now)
			if err != nil || got != tt.want {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

func TestNextVersionBadDate(t *testing.T) {
	for _, prefix := range []string{"<date:%Q>", "<date:%>"} {
		_, err := compose.NextVersion(prefix, "", "", time.Now())
		if class, _ := materialize.ClassOf(err); class != materialize.ClassConfig {
			t.Errorf("%s: %v", prefix, err)
		}
	}
}
