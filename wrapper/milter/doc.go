// Package milter is the protocol between an MTA and a milter, as far as sendwrap needs it. The
// guard is one side of it, the stand-in MTA of `sendwrap try` the other.
//
// A packet is a length, a letter for its kind, and data. The MTA sends commands, each after a
// packet with its macros if there are any, and waits for an answer if the two have agreed on one.
// The names in comments are those of libmilter's mfdef.h.
package milter
