// Package wrapper decides about one connection: whether the client on a socket is refused or
// gets the MTA, and what goes to the ledger, the log and the client. It decides and
// does not exec, so that the whole of it runs inside a test.
//
// # The order of a connection
//
//	Inspect      what is on the socket                         connection.go
//	Decide       rules, block, limits, known: at the door      package decide
//	Wait         the greet delay                               greet.go
//	Conclude     left, spoke, or quiet                         conclude.go, package decide
//	ledger, log, reply                                         session.go, log.go, reply.go
//	a word with who is refused, perhaps                        talk.go, dialogue.go
//
// [Session.Run] goes through it once. [Door.Explain] asks the same Decide for an
// administrator. The first test that applies decides; sendwrap(8) numbers them 1 to 10.
//
// # When something is wrong
//
// Our own trouble never costs a mail, and theirs is never let through for it:
//
//	configuration unreadable      421 4.3.0, mail.err, exit 111: the sender comes back
//	a wrong directive             skipped, its default holds, a warning with FILE:LINE a minute
//	MTA missing, not executable   421 4.3.0, mail.err, exit 111
//	ledger unusable               no limits, no client known or blocked; the delay works; warning
//	poll or recvfrom fails        the client is taken for quiet; warning
//	client gone before we began   a HANGUP without an address: counted, not logged
//	stdin is no client            usage on stderr, exit 100
//	syslog away                   carry on
package wrapper
