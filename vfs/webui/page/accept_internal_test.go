package page

import "testing"

func TestWantsJSON(t *testing.T) {
	for accept, want := range map[string]bool{
		"":                                    false,
		"*/*":                                 false,
		"application/json":                    true,
		"Application/JSON; charset=utf-8":     true,
		"text/html, application/json;q=0.9":   false,
		"text/html;q=0.5, application/json":   true,
		"application/json;q=0":                false,
		"application/json, */*":               true,
		"text/html,application/xhtml+xml,*/*": false,
		"application/json;q=nonsense":         true,
		";;;,,":                               false,
	} {
		if got := wantsJSON(accept); got != want {
			t.Errorf("%q: %v", accept, got)
		}
	}
}

func FuzzQuality(f *testing.F) {
	f.Add("text/html;q=0.3, application/json;q=NaN")
	f.Add("application/json;q=-1;q=2")
	f.Fuzz(func(t *testing.T, accept string) {
		if q := quality(accept, "application/json"); !(q >= 0 && q <= 1) {
			t.Errorf("%q: %v", accept, q)
		}
	})
}
