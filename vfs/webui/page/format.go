package page

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"

	"cosafs/materialize"
	"cosafs/vfs/webui"
)

// funcs are what templates format values with.
func (s *Site) funcs() template.FuncMap {
	return template.FuncMap{
		"ago":     func(t time.Time) string { return ago(s.cfg.Now().Sub(t)) },
		"asset":   s.assets.url,
		"bytes":   human,
		"clock":   func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") },
		"count":   count,
		"href":    func(path string) string { return href(path, false) },
		"joburl":  jobURL,
		"package": packageName,
		"percent": percent,
		"planurl": planURL,
		"short":   short,
		"stamp":   func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"took":    s.took,
	}
}

// human gives bytes as people read them; an unknown size is a dash.
func human(n int64) string {
	if n < 0 {
		return "–"
	}
	return webui.Size(n)
}

// count gives a number with its thousands apart.
func count(n any) string {
	digits := fmt.Sprint(n)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteRune('\u00a0')
		}
		b.WriteRune(d)
	}
	return b.String()
}

// spans are the words for times gone by, by their length.
var spans = []struct {
	unit time.Duration
	name string
}{
	{365 * 24 * time.Hour, "year"}, {30 * 24 * time.Hour, "month"}, {24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"},
}

// ago says how long ago something was, in the largest unit that fits.
func ago(d time.Duration) string {
	if d < 0 {
		return "in the future"
	}
	for _, s := range spans {
		switch n := int(d / s.unit); {
		case n == 1:
			return "1 " + s.name + " ago"
		case n > 1:
			return strconv.Itoa(n) + " " + s.name + "s ago"
		}
	}
	return "just now"
}

// took is how long a job ran, or runs until now.
func (s *Site) took(j materialize.JobInfo) string {
	end := j.Ended
	if end.IsZero() {
		end = s.cfg.Now()
	}
	return max(end.Sub(j.Started), 0).Round(time.Second).String()
}

// percent gives a fraction as whole percents, rounded down: 100 is for what is
// done. What is not known is 0.
func percent(fraction float64) int { return int(100 * min(max(fraction, 0), 1)) }

// packageName gives a package as rpm prints it, without an epoch of 0.
func packageName(p materialize.Package) string {
	return p.Name + "-" + p.EVR() + "." + p.Arch
}

// short gives the beginning of a hash.
func short(hash string) string {
	const shown = 12
	if len(hash) <= shown {
		return hash
	}
	return strings.ToValidUTF8(hash[:shown], "")
}
