// Package share carries what has happened on one machine to the others of a site: blocks that begin
// and end, clients that have become known, and recipients that were rejected. It is the part of
// `sendwrap share` that knows the ledger; package courier, in a process of its own, speaks to
// Valkey or Redis.
//
// # Who does what
//
// The member, run by root, reads the ledger's outbox and applies to the ledger what other machines
// say. It judges every byte that comes from elsewhere. The courier, its child, runs as another user
// in the share program, and has neither the ledger nor a file of root's. Both exchange packets of
// text over a pair of sockets; see package wire. No door, room or guard ever waits for one of them.
//
// # The protocol
//
// An [Event] is one line of text; event.go has its form. Each machine adds its own to one stream,
// PREFIX:{events}, and reads those of all machines there. What it says about blocks is also in a
// key of its own, PREFIX:state:NAME:NETWORK, and about known clients in PREFIX:known:NETWORK, with
// their own expiry: so a machine that has missed a part of the stream reads the whole state. Nobody
// but a machine itself writes its state keys, so none overwrites a newer one of another.
//
// # The rules
//
//   - All times are the engine's. A machine only measures how long ago something happened, by the
//     ledger's clock, which nobody sets. Its wall clock does not matter.
//   - The last word about a network holds: the event with the latest time, of several with the same
//     time that of the greatest name, then number. So order does not matter, and everything may
//     come twice. What a machine does after it has heard a word is later than that word, whatever
//     the clocks say (see [Words.Own]).
//   - An end of a block is a word like a block. It is kept for longer than any block can run
//     ([EndKept]), so that a block that arrives late does not come back.
//   - What the state lacks of a machine's own words, that machine sends again. After a start it
//     takes its ledger's own blocks for words.
//   - What came from elsewhere is never sent on: the ledger puts only its own machine's doings into
//     the outbox.
//   - Recipients are counted, not stated: each increment counts once, by its machine's number.
//   - A known client never outweighs a block or a strike.
package share
