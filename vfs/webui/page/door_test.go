package page_test

import (
	"cosafs/vfs/davfs"
	"cosafs/vfs/webui/page"
)

// The pages are what the WebDAV door shows to browsers.
var _ davfs.Pages = (*page.Site)(nil)
