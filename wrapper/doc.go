// Package wrapper decides about one connection: whether the client on a socket is refused or
// gets the MTA, and what goes to the ledger, the log and the client. It does not exec, so that a
// test can run all of it.
//
// # The order of a connection
//
//	Inspect      what is on the socket                         connection.go
//	Arrive       rules, block, limits, known: at the door      arrive.go, package decide
//	Wait         the greet delay                               greet.go
//	Conclude     left, spoke, or quiet                         conclude.go, package decide
//	ledger, log, reply                                         ends.go, log.go, reply.go
//	what went wrong with it                                    trouble.go, failopen.go
//	the dialogue with some refused clients                     talk.go, dialogue.go
//
// [Session.Run] takes these steps. [Door.Explain] asks the same functions for an administrator. The
// first test that applies decides; sendwrap(8) numbers them 1 to 12.
//
// # When something is wrong
//
// Trouble of our own never costs a mail, and never lets an early talker in:
//
//	configuration unreadable      421 4.3.0, mail.err, exit 111: the client comes back
//	a wrong directive             skipped, its default or a lenient value holds; warning
//	MTA missing, not executable   421 4.3.0, mail.err, exit 111
//	ledger unusable               no limits, no client known or blocked; the delay works; warning
//	poll or recvfrom fails        the client is taken for quiet; warning
//	client gone before we began   counted; logged if the kernel still knows its address
//	stdin is no client            usage on stderr, exit 100
//	syslog away                   carry on
package wrapper
