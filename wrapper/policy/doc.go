// Package policy is all that the configuration means for a client: the settings, and what the
// administrator has said about its network and its name. Whoever decides about clients depends on
// it alone, not on the text of sendwrap.conf (package config) and what reads that.
//
// It also has the compiled form of a policy, a file that says the same as the text without a
// parser: [Write] writes it (package compile knows when), [Open] reads it. How long Open takes does
// not depend on the number of networks.
//
// # What the compiled form promises
//
//   - Current: it names its sources, the configuration file and all that this includes or tries to
//     include, with device, inode, size and times. Open compares these. If anything differs, there
//     is no policy.
//   - Whole: each page has a checksum, its own number, the number of its edition, and its place in
//     the tree. A page that is torn, or of another file, is an error when it is read, and the
//     caller reads the text. Nothing is believed before it is checked, and no loop is longer than
//     the file says it is in its first page, at most maxLevels.
//   - Private: a regular file of root or our own user, mode 0600. Its checksums are against
//     accidents. A user who can write it could as well write the text.
//
// It is read by pread(2), not mapped: a lookup needs three or four pages, one call each, and two or
// three more if there is an access map. That of a name comes later, when the name is known, so the
// file stays open; it needs a page for each name that can have a rule, at most rule.MaxLabels, and
// one for limits. A file that is truncated meanwhile is then an error like others, and needs no
// handler of signals.
//
// # Time
//
// A file that is written twice within one tick of the kernel's clock (1 to 10 ms) has the same
// times. So package compile writes no policy while a source is younger than [Settled]. It looks at
// the ctime, which no program can set; the mtime is compared, but may be anything. A clock that was
// set back could give a file its old ctime a second time. So Open also wants that the clock is
// not before the time at which the policy was made; and a policy with a source from the future is
// worth nothing once the clock gets there.
//
// # Layout
//
// Pages of 4,096 bytes; numbers are little-endian. Each page begins with 32 bytes:
//
//	sum      8  of all that follows in the page
//	edition  8  when the policy was made, in ns since 1970: the same in all pages of a file
//	number   4  of the page, from 0
//	kind     2  first, texts, limits, tree of IPv4, tree of IPv6, names, replies
//	count    2  entries
//	level    4  of a page in a tree: 0 is a leaf
//	child    4  of an inner page: the number of its first child; the others follow it
//
// The pages are in this order:
//
//	first    header: magic, version, and what is where; then the beginning of the texts
//	texts    their rest, in most files nothing: sources, settings, warnings
//	limits   those of client lines and of the access map, each set once
//	replies  those of the access map, each once, behind its length
//	IPv4     a tree, from its root to its leaves
//	IPv6     a tree
//	names    a hash table, in most files nothing
//	         trees and names of the access map, if there is one; and if that has keys in
//	         brackets, trees for clients without a confirmed name
//
// The networks of allow, deny and client lines overlap. In the trees they are ranges that do not:
// an entry of a leaf is the first address of a range, and what holds up to the next entry. This is
// the rule of the longest network, and the limits of all that contain the range. The first entry
// begins with address 0. An entry of an inner page is the first address of a child.
//
//	IPv4: 203 entries a leaf, 1,016 children; IPv6: 127, 254
//
// So a million networks are three levels.
//
// Names have no order that a client could not choose: its owner chooses them. The hash of a name
// (SipHash, with a random key of the file) leads to the one page that can have it. Half of each
// page is free on average, so that no page overflows; if one does, there are more pages. An entry
// is the rule, which has what was said of the names above, too, and the text, which decides. A name
// that sendwrap.conf has with a dot before it is of all names below; one of the access map has no
// dot, and is of itself and all below.
//
// The version changes with anything of this, with the fields of Settings and with rule.Keys. It
// also changes with what a text means: with a default, or with how a directive is read. Otherwise a
// policy that an older program has made would hold after the upgrade, with the old meaning, until
// somebody changes the text.
package policy
