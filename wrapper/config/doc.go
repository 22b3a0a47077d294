// Package config reads sendwrap.conf.
//
// A line has one directive. Blanks separate words, a word that begins with # begins a comment, and
// "..." groups words (\" and \\ stand for themselves inside). One table, directives, has each
// directive with its arguments and its default: the parser and the printer use it, and tests
// compare sendwrap.conf.example and the manual page with it.
//
// A wrong line never stops mail: it is skipped, its default applies or something more lenient, and
// one run reports all wrong lines. If only some networks of a list are wrong, only these are
// skipped.
//
// # Cost
//
// A process that serves one connection reads the file each time, so that a change needs no restart.
// Words are parts of the text, which is read in one piece. A network that does not contain the
// client costs no memory and about 100 ns, a quarter of it for netip.ParsePrefix (BenchmarkLoad).
package config
