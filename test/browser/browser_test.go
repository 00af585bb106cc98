package browser_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cosafs/test/browser"
)

func TestRun(t *testing.T) {
	script := filepath.Join(t.TempDir(), "title.mjs")
	text := `const { chromium } = await import(process.env.PLAYWRIGHT);
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ['--no-sandbox'] });
const page = await browser.newPage();
await page.setContent('<title>' + process.argv[2] + '</title>');
console.log(await page.title());
await browser.close();
`
	if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(browser.Run(t, script, "hello")); got != "hello" {
		t.Errorf("the page is called %q", got)
	}
}
