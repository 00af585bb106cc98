package page

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestContrast holds every pair of text and ground of both palettes to WCAG 2.2 AA.
func TestContrast(t *testing.T) {
	css, err := assetFiles.ReadFile("assets/style.css")
	if err != nil {
		t.Fatal(err)
	}
	light, dark, ok := strings.Cut(string(css), "@media (prefers-color-scheme: dark)")
	if !ok {
		t.Fatal("there is no dark palette")
	}
	pairs := strings.Fields("text/bg text/panel text/sunk soft/bg soft/panel soft/sunk link/bg link/panel link/sunk link/none-bg " +
		"go-text/go ok/ok-bg info/info-bg warn/warn-bg bad/bad-bg text/bad-bg none/none-bg ok/panel info/panel bad/panel")
	for name, text := range map[string]string{"light": light, "dark": dark} {
		colours := palette(t, text)
		for _, pair := range pairs {
			fore, back, _ := strings.Cut(pair, "/")
			if ratio := contrast(colours[fore], colours[back]); !(ratio >= 4.5) {
				t.Errorf("%s: %s has %.2f", name, pair, ratio)
			}
		}
	}
}

// palette reads the first definition of each colour as its relative luminance.
func palette(t *testing.T, css string) map[string]float64 {
	t.Helper()
	colours := map[string]float64{}
	for _, m := range regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6});`).FindAllStringSubmatch(css, -1) {
		if _, known := colours[m[1]]; known {
			continue
		}
		rgb, err := strconv.ParseUint(m[2], 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		colours[m[1]] = 0.2126*linear(rgb>>16) + 0.7152*linear(rgb>>8&0xff) + 0.0722*linear(rgb&0xff)
	}
	return colours
}

// linear undoes sRGB's gamma.
func linear(channel uint64) float64 {
	c := float64(channel) / 255
	if c <= 0.04045 {
		return c / 12.92
	}
	return math.Pow((c+0.055)/1.055, 2.4)
}

func contrast(a, b float64) float64 { return (max(a, b) + 0.05) / (min(a, b) + 0.05) }
