// Package guard watches recipients while the MTA serves the client. It is a milter: the one place
// in sendmail and Postfix that sees the client and its rejected recipients together, also after
// STARTTLS. What it learns goes to the ledger, so that sendwrap knows it at the client's next
// connection, and all other sessions of the client's network at once.
//
// # The way of a session
//
//	accept      an MTA's process opens a connection for each client  listen.go, sessions.go
//	negotiate   what the MTA offers, and what of that is asked for   packets.go
//	packets     each is read, within bounds, and answered            packets.go, ../milter
//	connect     which client it is; under allow it is not watched    session.go, client.go
//	MAIL, RCPT  counted, decided, and answered                       session.go, ../decide
//	MAIL <>     deferred if its network named too many               bounces.go
//	421         a block, a log line, the end of the connection       verdict, offence, cut.go
//	message     good recipients count in the client's favour         delivered.go
//	close       the transcript, if the session caused a block        transcript.go
//
// watch.go looks after all sessions: new blocks (blocks.go), writes that wait for the ledger
// (unwritten.go), the configuration, the ledger.
//
// # What MTAs do with the answers (sendmail 8.17, Postfix 3.7; seen on the wire)
//
// sendmail gives the client its own 550 for a recipient that it rejects, and then closes at our
// 421. Postfix ignores our answer about a recipient that it has rejected itself, and goes on: the
// client could then tell a valid name, which gets our 421, from an invalid one, which gets a 550.
// So a client whose session goes on after a 421 is disconnected (cut.go).
//
// # When something is wrong
//
// Mail flows. An MTA that does not reach the guard goes on without it (F= empty,
// milter_default_action = accept). Without the ledger each session is counted by itself, nothing is
// known about others, and no network is blocked. A protocol error of an MTA ends that one
// connection.
package guard
