// Package replay decides once more about the connections of a log, by another configuration: what
// would other limits have done? Door and session are those that decide about clients, the ledger is
// a real one in a file without a name, and its clock follows the log.
//
// The way of a line: visit.go is what it says of a client. replay.go has the events of all lines in
// the order in which they happened, since a line is written when its client's wait is over.
// decision.go has the client arrive, and does what the client did; live.go ends its session;
// before.go supplies what happened before the log began, and what other lines say. changes.go keeps
// the clients whose verdict changes, in bounded memory. Result, in result.go, is what comes of it,
// and text.go shows it.
//
// A log does not tell everything: how a refused client would have gone on, when most sessions
// ended, and what a client would have done in a longer delay. All that is counted, and said.
package replay
