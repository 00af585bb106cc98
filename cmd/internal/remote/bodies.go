package remote

import (
	"net/http"
	"strings"
)

// bodyBytes bounds a request's body where it is a question: the longest are lists
// of build ids and of properties.
const bodyBytes = 1 << 20

// bounded refuses bodies that are too long for what they could say, before they
// are read where their length is told. Of a PUT that is for the door to say: most
// are forbidden whatever they bring.
func bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		most := bodyMost(r)
		if r.Method != http.MethodPut && (r.ContentLength > most || r.ContentLength < 0 && most == 0) {
			w.Header().Set("Connection", "close") // rather than read what nobody wants
			http.Error(w, "The request's body is too long.", http.StatusRequestEntityTooLarge)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, most)
		next.ServeHTTP(w, r)
	})
}

// bodyMost is how many bytes a request may bring.
func bodyMost(r *http.Request) int64 {
	switch {
	case r.Method == http.MethodGet, r.Method == http.MethodHead:
		return 0
	case r.Method == http.MethodPut && strings.HasPrefix(r.URL.Path, uploadPath+"/"):
		return uploadBytes + 1 // the collection says itself that it was too much
	}
	return bodyBytes
}
