// Package compile makes compiled policies (package policy) from the text of sendwrap.conf: when an
// administrator says so, and when a client's process has found none that is current.
//
// A policy appears whole under its name, or not at all: it is written to a file beside it, which is
// locked meanwhile, and renamed. A process that finds the lock taken does not wait. A process that
// is killed leaves nothing but that file, which the next one uses.
package compile
