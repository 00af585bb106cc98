// Package test holds the tests of the whole system: the real program, real
// mounts, composes, virtual machines and clients, on a small OS made on the
// spot (package tinyos). It has no code of its own.
package test
