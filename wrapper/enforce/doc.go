// Package enforce carries out blocks. A blocked network is a record in the ledger, and every client
// that arrives from it is refused. When a block begins, this package does the rest:
//
//   - it runs on_block, the administrator's program, at once;
//   - it ends the live sessions of the network after a grace, in which their clients can read the
//     reply;
//   - it ends the oldest blocks if there are more than max_entries.
//
// The process that has begun a block carries it out, through a [Queue]. A room and a guard must not
// wait: they keep a queue and call [Queue.Add]. A process with one client, and a command, call
// [Enforcer.CarryOut], which is a queue of one block, and wait. A room refuses its own clients when
// it sees in the ledger that a block has begun.
//
// on_block runs in one of four slots, which all processes share (slots.go).
//
// [Exempt] says for which networks some of this is not done, and why.
package enforce
