// Package room serves many clients in one process, where the wrapper alone needs one process for
// each client. It holds the listening sockets and all waiting clients, and starts an MTA only for
// the clients that pass. [wrapper.Session] decides about each client, as in a process with one
// client: with the same configuration, ledger, log lines and verdicts.
//
// # The way of a client
//
//	accept     up to 64 clients from each socket, as many as are likely        listener.go
//	           421 at once if no descriptor is free                            descriptors.go
//	arrive     the first half of the decision, for several at once             arrive.go
//	wait       in the queue of its delay, until the client speaks or leaves,
//	           until the delay is over (endDelay),
//	           until its network is blocked or new rules allow or deny it      scan.go
//	queueUp    wait for a turn; known clients come here at once                turn.go
//	           fair: fewest MTAs first, by wide network, then by network      turns.go, flow.go
//	admit      the second half of the decision; at most spawn_rate a second,
//	           and at most max_sessions at a time
//	requestMTA fork and exec beside the loop; mtaStarted gives the session to
//	           the MTA; mtaExited ends it                                      mta.go
//	           the room keeps the connection until the MTA has sent something  silent.go
//	refuse     the reply, and a moment for the client to read it               client.go
//	           or to say QUIT; some denied clients get a dialogue              hear.go
//
// # The life of the room
//
// start.go, reload.go, everysecond.go and end.go. At SIGUSR2, replace.go gives the room to another
// program, and takeover.go is the other side of that.
//
// # What keeps it going
//
// One goroutine, the loop, owns all state; so there are no locks. It blocks in epoll_wait(2) only
// and, briefly, on the ledger's lock. Work that may take longer runs in other goroutines, which
// report by [notices.post]: starting an MTA, reading a configuration, asking a new program whether
// it can take over. A queue of package enforce carries out blocks. (At start, and when the ledger
// has been taken away, the loop also reads /proc or makes a file.) No client has a timer: there are
// few different delays, and the first client in the queue of a delay is the first whose delay ends.
//
// Clients' sockets are never made non-blocking, because their MTAs inherit them: each read or write
// here asks for non-blocking itself.
package room
