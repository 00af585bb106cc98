// Package scratch is the writable WebDAV collection (RFC 4918, class 1 and 2).
package scratch
