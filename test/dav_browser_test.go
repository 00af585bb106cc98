package test

import (
	"encoding/json"
	"image"
	_ "image/png" // what the browser writes
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cosafs/test/browser"
	"cosafs/test/need"
)

// What browse.mjs saw.
type visit struct {
	Problems   []string `json:"problems"` // complaints of the browser: scripts, the content policy
	Title      string   `json:"title"`
	FirstFocus string   `json:"firstFocus"`
	Heading    string   `json:"heading"`
	Log        string   `json:"log"`
	Waiting    string   `json:"waiting"`
	Filtered   string   `json:"filtered"`
	Connect    string   `json:"connect"`
}

// A person with a browser looks around, presses Build, watches it to its end,
// downloads, and opens what is gone; in light and in dark, and without scripts.
func TestDAVBrowser(t *testing.T) {
	t.Parallel()
	needAll(t)
	need.Tool(t, "node", "chromium")
	e := newEnv(t)
	im := e.built()
	kept := filepath.Join(e.dir, "kept.qcow2")
	if err := os.Rename(im.file, kept); err != nil {
		t.Fatal(err)
	}
	d := e.door()
	out := filepath.Join(e.dir, "seen")
	e.mkdir(out)
	var v visit
	text := browser.Run(t, filepath.Join("testdata", "browse.mjs"), d.url, e.latest(), "metal", im.path, out)
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if len(v.Problems) > 0 {
		t.Errorf("the browser complains: %q", v.Problems)
	}
	for what, ok := range map[string]bool{
		"the title":                         strings.Contains(v.Title, "Builds"),
		"the first stop of the Tab key":     strings.Contains(v.FirstFocus, "Skip"),
		"the build's heading":               strings.Contains(v.Heading, e.latest()),
		"the job's log":                     strings.TrimSpace(v.Log) != "",
		"what the page says while it waits": v.Waiting == "" || strings.Contains(v.Waiting, "being built"),
		"the filter without scripts":        strings.Contains(v.Filtered, "No build matches"),
		"how to connect":                    strings.Contains(v.Connect, "rclone") && strings.Contains(v.Connect, "read_timeout"),
	} {
		if !ok {
			t.Errorf("%s is not right: %+v", what, v)
		}
	}
	identical(t, filepath.Join(out, "gone"), kept)
	identical(t, filepath.Join(out, "built"), e.artifact("metal").file)
	for _, page := range []string{"builds", "build", "job"} {
		light, dark := look(t, filepath.Join(out, page+"-light.png")), look(t, filepath.Join(out, page+"-dark.png"))
		if light < 0.75 || dark > 0.35 {
			t.Errorf("page %s: brightness %.2f in light, %.2f in dark", page, light, dark)
		}
	}
}

// look gives a picture's mean brightness, 0 to 1; one that shows nothing is an error.
func look(t *testing.T, path string) float64 {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // only read
	img, _, err := image.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	b, sum, colours := img.Bounds(), 0.0, map[[3]uint32]int{}
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			r, g, bl, _ := img.At(x, y).RGBA()
			sum += (0.2126*float64(r) + 0.7152*float64(g) + 0.0722*float64(bl)) / 0xffff
			colours[[3]uint32{r, g, bl}]++
		}
	}
	pixels := b.Dx() * b.Dy()
	counts := make([]int, 0, len(colours))
	for _, n := range colours {
		counts = append(counts, n)
	}
	if most := slices.Max(counts); len(colours) < 20 || most > pixels*99/100 {
		t.Errorf("%s shows nothing: %d colours, %d of %d pixels the same", filepath.Base(path), len(colours), most, pixels)
	}
	return sum / float64(pixels)
}
