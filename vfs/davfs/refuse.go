package davfs

import (
	"net/http"

	"cosafs/vfs"
)

// refuse answers methods that would change the tree. 403 it is: to 405 davfs2
// reports a successful unlink, and rclone a successful mkdir.
func refuse(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 && r.ProtoMajor == 1 {
		// What is sent along is not read, however long it is. HTTP/2 can end a stream
		// without its connection.
		w.Header().Set("Connection", "close")
	}
	http.Error(w, vfs.ErrReadOnly.Error(), http.StatusForbidden)
}

// notAllowed answers methods that the door does not know, LOCK among them.
func notAllowed(w http.ResponseWriter) {
	w.Header().Set("Allow", allowed)
	http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
}
