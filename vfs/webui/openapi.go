package webui

import (
	_ "embed"
	"net/http"
)

// document describes the API to programs: OpenAPI 3.1.
//
//go:embed openapi.json
var document []byte

func serveDocument(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(document) // an error means that the client is gone
}
