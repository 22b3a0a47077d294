// Package guard watches recipients while the MTA has the client: it is a milter, the one place in
// sendmail and Postfix from which client and rejected recipient are seen together, also after
// STARTTLS. What it learns goes to the ledger, so that the door knows it at the next connection,
// and every other session of the client's network at once.
//
// # The way of a session
//
//	accept      an MTA's process opens a connection for each of its clients       listen.go
//	negotiate   what the MTA offers, and what of that is asked for                packets.go
//	packets     each is waited for, bounded, and answered                         packets.go, ../milter
//	connect     whose session it is; who is under allow is left alone             session.go, client.go
//	MAIL, RCPT  counted, decided, and answered                                    session.go, package decide
//	MAIL <>     puts off itself by what it names, and blocks nobody               bounces.go
//	421         the ledger gets the block; its log line; the connection ends      verdict.go, cut.go
//	close       the transcript of a session that earned a block                   transcript.go
//
// watch.go looks after all of them: blocks that others have begun, the configuration, the ledger.
//
// # What MTAs do with the answers (sendmail 8.17, Postfix 3.7; seen on the wire)
//
// sendmail gives the client its own 550 for a recipient that it rejects, and then closes at our
// 421. Postfix does not listen to the answer about a recipient that it has rejected itself, and
// goes on: a valid name would then be told from a wrong one by our 421 instead of its 550. So a
// client whose session goes on after a 421 is cut off (cut.go).
//
// # When something is wrong
//
// Mail flows. An MTA that does not reach us goes on without (F= empty, milter_default_action =
// accept). Without the ledger each session is counted by itself, and nothing is known of others and
// nobody blocked. What comes from an MTA that is not the protocol ends that one connection.
package guard
