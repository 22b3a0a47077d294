// Package room serves many clients in one process, where the wrapper alone needs a process for
// each: it holds the listening sockets, keeps all who wait, and starts an MTA only for those that
// pass. What it decides is decided by [wrapper.Session], as for one client: same configuration,
// ledger, log lines and verdicts.
//
// # The way of a client
//
//	accept     a batch from each socket                                            listener.go
//	           without a descriptor: 421, and nothing more                         descriptors.go
//	arrive     the first half of the decision                                      client.go
//	wait       in the queue of its delay, until it speaks or leaves, or that is over
//	           or until its network is blocked, or new rules allow or deny it        bar.go
//	quiet      in the queue for a turn; known clients stand there too, at once     turn.go
//	           which is fair: fewest MTAs first, by wider network, then by network turns.go, flow.go
//	admit      the second half; so many a second, and no more than max_sessions
//	start      fork and exec beside the loop; then the session is the MTA's        mta.go
//	refuse     the reply, and a moment to read it                                  client.go
//	           or to say QUIT; a denied one is talked to, perhaps                   hear.go
//
// # The room's own life
//
//	start.go, reload.go, tick.go (once a second), end.go; replace.go: another program takes its place
//
// # What keeps it going
//
// One goroutine, the loop, has all the state: no locks. It waits for nothing but epoll_wait(2) and,
// briefly, the ledger's lock. What may take longer is done beside it and reported by post: to start
// an MTA, to read a configuration, to ask a new program whether it runs. Blocks are carried out by
// a queue of package enforce. (Only at its start, and when somebody has taken the ledger away, does
// it read /proc or make a file.) There is no timer for a client: delays are of few lengths, and in
// a queue for each the first is the first to be due.
//
// Clients' sockets are never made non-blocking, since their MTAs inherit them: what is read or
// written here asks for that call alone not to wait.
package room
