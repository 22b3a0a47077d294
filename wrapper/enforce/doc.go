// Package enforce carries out blocks. The ledger says that a network is blocked, and every client
// that arrives from it is refused. What else happens when a block begins is done here:
//
//   - on_block, the administrator's program, runs at once;
//   - the live sessions of the network end, after a moment in which their clients can read the
//     reply (grace);
//   - of more blocks than max_entries the oldest end.
//
// The process that has begun a block carries it out. One that has a single client, or a command,
// calls [Enforcer.CarryOut], which returns when all is done. A room and a guard must never wait:
// they have a [Queue]. A room refuses its own clients when it sees in the ledger that a block has
// begun.
//
// on_block runs in one of four slots, which all processes share (slots.go).
//
// [Spare] says for which networks none of that is done, and why.
package enforce
