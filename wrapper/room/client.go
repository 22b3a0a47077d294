package room

import (
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/enforce"
)

// client is a connection in the room, from its arrival until it is closed. If the client gets an
// MTA, it stands for the MTA until that has exited. Times are of the monotonic clock.
type client struct {
	session     *wrapper.Session
	in          *queue // nil: its MTA is being started, or runs
	prev, next  *client
	arrived     time.Duration
	passed      time.Duration // when its delay ended; 0: it has not
	started     time.Duration // when its MTA started
	refused     time.Duration // when it was refused; 0: it was not
	due         time.Duration // when its time in the queue is over
	watched     bool          // by the poller
	transferred bool          // the ledger counts the session as its MTA's

	class         class // in turns
	flow          *flow // its network, while it waits for its turn and while its MTA counts there
	before, after *client
}

// maxDraining is how many refused clients may read their replies at once. The oldest is closed for
// one more.
const maxDraining = 1024

// delay returns the queue of the clients with a delay of d.
func (r *room) delay(d time.Duration) *queue {
	q := r.delays[d]
	if q == nil {
		q = new(queue)
		r.delays[d] = q
	}
	return q
}

// hold enters the client under its descriptor.
func (r *room) hold(c *client) {
	for len(r.clients) <= c.session.FD {
		r.clients = append(r.clients, nil)
	}
	r.clients[c.session.FD] = c
	r.held++
}

// watch has the poller report what the client does. If the poller cannot, the room looks at the
// client only when its time is over.
func (r *room) watch(c *client) {
	if c.watched {
		return
	}
	err := r.poller.add(c.session.FD, clientEvents)
	if err != nil && r.mayLog(unwatchedClients) {
		r.warnf("%v: %v; the room looks at this client only when its time is over",
			c.session.Client, err)
	}
	c.watched = err == nil
}

// look says what the client has done so far.
func (r *room) look(c *client) decide.Greet {
	g, err := c.session.Look()
	if err != nil {
		c.session.LogUnseen(err)
	}
	return g
}

// hasLeft reports whether a client has left whose delay is over: what it says now is for its MTA.
func (r *room) hasLeft(c *client) bool {
	g, err := wrapper.Look(c.session.FD)
	if err != nil {
		c.session.LogUnseen(err)
	}
	return g == decide.Left
}

// onClientEvent handles the first thing that a waiting client does, to speak or to leave, and
// everything that a refused client does in a dialogue.
func (r *room) onClientEvent(c *client) {
	switch c.in {
	case nil, &r.admitted, &r.silent, &r.draining:
		// What it says now is for its MTA, or no longer matters.
	case &r.talking, &r.awaitingQuit:
		r.hear(c)
	case &r.turns.queue:
		if r.hasLeft(c) {
			r.withdraw(c)
		}
	default:
		if g := r.look(c); g != decide.Quiet {
			r.hearEarly(c, g)
		}
	}
}

// endDelay queues a client whose delay is over, unless a last look shows that it has spoken or
// left.
func (r *room) endDelay(c *client) {
	if g := r.look(c); g != decide.Quiet {
		r.conclude(c, g)
		return
	}
	if r.refusedByDNS(c) {
		return
	}
	c.leave()
	c.passed = r.now
	r.queueUp(c)
}

// enforceBlock carries out the block that has begun with a client's offence, if one has.
func (r *room) enforceBlock(s *wrapper.Session) {
	if network, d, reason := s.Block(); d > 0 {
		r.enforce.Add(enforce.Block{Network: network, For: d, Reason: reason})
	}
}

// applyVerdict lets the client have its MTA, or refuses it.
func (r *room) applyVerdict(c *client) {
	if c.session.Served() {
		r.admitted.push(c)
		return
	}
	if r.mayTalk(c) {
		c.session.AllowTalk()
	}
	c.session.Account(0)
	r.refuse(c)
}

// refuse sends the reply, and gives the client a moment to read it or to answer.
func (r *room) refuse(c *client) {
	r.refused++
	r.turns.end(c)
	switch {
	case c.session.Verdict == decide.Hangup:
		r.close(c)
	case r.hearOut(c):
	case !c.session.Refuse():
		r.close(c)
	default:
		c.session.Rest()
		r.drain(c)
	}
}

// drainAndClose closes the connection of a client that had time to read its reply. It reads what
// the client has sent first: bytes left unread would make the kernel discard the reply.
func (r *room) drainAndClose(c *client) {
	wrapper.Drain(c.session.FD)
	r.close(c)
}

// close closes our end of the connection. The client's MTA, if it has one, keeps its own.
func (r *room) close(c *client) {
	c.leave()
	fd := c.session.FD
	r.clients[fd] = nil
	r.held--
	unix.Close(fd)
	c.session.FD = -1
}
