package page

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

func TestFormat(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{human(-1), "–"}, {human(0), "0 B"}, {human(1023), "1023 B"}, {human(1024), "1.0 KiB"}, {human(1712345678), "1.6 GiB"}, {human(1 << 62), "4096.0 PiB"},
		{count(7), "7"}, {count(1000), "1\u00a0000"}, {count(int64(1712345678)), "1\u00a0712\u00a0345\u00a0678"},
		{ago(-time.Second), "in the future"}, {ago(0), "just now"}, {ago(time.Minute), "1 minute ago"}, {ago(47 * time.Hour), "1 day ago"}, {ago(800 * 24 * time.Hour), "2 years ago"},
		{short("abc"), "abc"}, {short(strings.Repeat("ä", 12)), "ääääää"}, {short("12345678901ä"), "12345678901"},
		{fmt.Sprint(percent(-1)), "0"}, {fmt.Sprint(percent(0.999)), "99"}, {fmt.Sprint(percent(7)), "100"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

func TestTailKeepsWholeLines(t *testing.T) {
	log := tail{max: 20}
	for i := range 1000 {
		if _, err := fmt.Fprintf(&log, "line %d\n", i); err != nil {
			t.Fatal(err)
		}
	}
	if got := log.text(); got != "line 998\nline 999\n" || !log.cut {
		t.Errorf("%q, cut %v", got, log.cut)
	}
	whole := tail{max: 20}
	if _, err := io.WriteString(&whole, "a\xffb"); err != nil {
		t.Fatal(err)
	}
	if got := whole.text(); got != "a\uFFFDb" || whole.cut {
		t.Errorf("%q, cut %v", got, whole.cut)
	}
}
