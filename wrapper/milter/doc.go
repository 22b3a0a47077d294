// Package milter is the wire between an MTA and a milter: packets, and the words in them of which
// sendwrap makes use. The guard has one end of it, the MTA of `sendwrap try` the other.
//
// A packet is a length, a letter that says what it is, and data. The MTA sends commands, each after
// a packet with macros for it, if there are any, and waits for an answer where the two have agreed
// on one. The words are those of libmilter's mfdef.h, whose names stand beside them.
package milter
