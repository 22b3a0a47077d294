// Package enforce carries out blocks. That a network is blocked stands in the ledger, and whoever arrives from there is refused;
// what is to happen besides, when a block begins, is done here:
//
//   - on_block, the administrator's program, is told of it at once;
//   - the live sessions of the network end, after a moment in which their clients can read what they are told (grace);
//   - of more blocks than max_entries the oldest go.
//
// Whoever has begun a block has it carried out: a process that has one client, or a command, by [Enforcer.CarryOut], which returns
// when all is done; a room and a guard, which must never wait, by a [Queue]. What a room holds it refuses itself, when it finds in the
// ledger that a block has begun.
//
// [Spare] says to whom none of that is done, and why.
package enforce
