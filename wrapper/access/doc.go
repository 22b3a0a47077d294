// Package access reads the access map of a sendmail site: the text that makemap(8) reads, with the
// keys that sendmail looks up when a client connects. It matches as sendmail does, to the letter;
// the rules are those of check_relay, greet_pause, ratecontrol and conncontrol in sendmail's
// cf/m4/proto.m4 and cf/feature/*.m4, as they are with
//
//	FEATURE(`access_db', , `skip')
//
// A test asks sendmail itself. Keys of networks as CIDR are ours alone.
//
// # What a key holds
//
// sendmail looks for a client's name and then for its parents, down to the top level; then for its
// address, and that without its last octet (or group, if it is IPv6), and so on. If the name is not
// confirmed, it is the address in brackets, which is shortened within them. The first key that the
// map has decides, with its tag or, for Connect, without one. So a name beats an address.
// ClientRate and ClientConn do not look for names; what their bare tag says holds where no address
// does.
//
// # Where we differ
//
//   - A key of numbers is an address, never the top level of a name.
//   - A rate or a number of connections that is none, or below 0, is no limit. sendmail refuses
//     everybody then.
//   - A text that begins with another code than 4xx or 5xx is sent with 553, as one without a code.
//   - A value that is only a comment is none. sendmail refuses then, with an odd text.
//   - A text's bytes that are not ASCII become question marks.
package access
