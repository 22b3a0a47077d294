// Package config reads sendwrap.conf.
//
// One directive stands on a line, words are separated by blanks, a word that begins with
// # begins a comment, and "..." groups words (\" and \\ stand for themselves inside). What
// directives there are, what they take and what holds without them is one table
// ([Directives]), from which files are read, defaults made and settings printed; tests hold
// sendwrap.conf.example and the manual page to it.
//
// A wrong directive never stops mail: it is skipped, its default holds, and all of them
// are reported in one run. Of a list of networks only the wrong ones are skipped.
//
// # Cost
//
// A process that serves one connection reads the file anew, so that a change needs no
// restart. A file is read in one piece and its words are cut out of that text; a
// network that does not hold the client costs no memory and some 100 ns, a quarter of which is
// netip.ParsePrefix (BenchmarkLoad).
package config
