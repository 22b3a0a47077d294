package room

import (
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/enforce"
)

// client is a connection in the room, from its arrival until it is closed; or until its MTA, whose
// record it then is, has ended. Times are of the monotonic clock.
type client struct {
	session    *wrapper.Session
	in         *queue // where it stands; nil: its MTA is being started, or runs
	prev, next *client
	arrived    time.Duration
	passed     time.Duration // when its delay was over
	started    time.Duration // when its MTA was
	refused    time.Duration // when it was; 0: it is not
	due        time.Duration // when its time in the queue is over
	watched    bool          // by the poller
	handed     bool          // the ledger counts it as its MTA's

	class         class // in turns
	flow          *flow // its network, while it waits for its turn, and while its MTA counts there
	before, after *client
}

// maxDraining is how many refused clients may read their replies at once; the oldest makes room.
const maxDraining = 1024

// arrive is the first half of the decision about a client that was just accepted.
func (r *room) arrive(conn wrapper.Connection) {
	c := &client{session: r.door.NewSession(conn), arrived: r.now}
	r.hold(c)
	if r.unconfigured != nil {
		c.session.Fail(r.unconfigured)
		r.refuse(c)
		return
	}
	r.enter(c)
}

// enter decides whether it has to wait, and for how long.
func (r *room) enter(c *client) {
	if waits := c.session.Arrive(); c.session.Search() != nil {
		r.seek(c)
		return
	} else if !waits {
		r.decided(c)
		return
	}
	delay := c.session.Delay()
	if delay <= 0 { // known, or nobody waits
		r.quiet(c)
		return
	}
	if r.full(c.session.FD) {
		r.shed.note(r)
		c.session.RefuseBusy(0, false)
		c.session.Refuse()
		r.refused++
		r.dismiss(c)
		return
	}
	c.session.SendTeaser()
	// Spamware in a hurry has spoken by now, and need not be watched.
	if g := r.look(c); g != decide.Quiet {
		r.conclude(c, g)
		return
	}
	r.watch(c)
	c.due = r.now + delay
	r.delay(delay).push(c)
}

// delay is the queue of those who have to wait for so long.
func (r *room) delay(d time.Duration) *queue {
	q := r.delays[d]
	if q == nil {
		q = new(queue)
		r.delays[d] = q
	}
	return q
}

// hold makes the client found by its descriptor.
func (r *room) hold(c *client) {
	for len(r.clients) <= c.session.FD {
		r.clients = append(r.clients, nil)
	}
	r.clients[c.session.FD] = c
	r.held++
}

// watch has the poller tell what the client does. Without that the client is only looked at when
// its time is over.
func (r *room) watch(c *client) {
	if c.watched {
		return
	}
	err := r.poller.add(c.session.FD, clientEvents)
	if err != nil && r.unwatched.allows(r.now) {
		r.warnf("%v: %v; what it does is only seen when its time is over", c.session.Client, err)
	}
	c.watched = err == nil
}

// look says what the client has done so far.
func (r *room) look(c *client) decide.Greet {
	g, err := wrapper.Look(c.session.FD)
	if err != nil {
		c.session.LogUnseen(err)
	}
	return g
}

// stirred says that a client that waits has done something for the first time: spoken, or left. If
// nothing can be seen of it, the last look is when its time is over.
func (r *room) stirred(c *client) {
	switch c.in {
	case nil, &r.admitted, &r.fresh, &r.draining:
		// What it does now is for its MTA, or of no matter.
	case &r.talking, &r.parting:
		r.hear(c)
	case &r.turns.queue:
		// It has waited for as long as it had to. If it speaks, that is for the MTA.
		if r.look(c) == decide.Left {
			r.withdraw(c)
		}
	default:
		if g := r.look(c); g != decide.Quiet {
			r.conclude(c, g)
		}
	}
}

// quiet takes a client whose delay is over, or is none, unless a last look shows that it was not
// quiet.
func (r *room) quiet(c *client) {
	if g := r.look(c); g != decide.Quiet {
		r.conclude(c, g)
		return
	}
	c.leave()
	c.passed = r.now
	r.queueUp(c)
}

// conclude is the second half of the decision.
func (r *room) conclude(c *client, g decide.Greet) {
	c.leave()
	c.session.Conclude(g, r.now-c.arrived)
	r.began(c.session)
	r.decided(c)
}

// began carries out the block that has begun with a client's offence, if one has.
func (r *room) began(s *wrapper.Session) {
	if network, d, reason := s.Block(); d > 0 {
		r.enforce.Add(enforce.Block{Network: network, For: d, Reason: reason})
	}
}

// decided does what the verdict says.
func (r *room) decided(c *client) {
	if c.session.Served() {
		r.admitted.push(c)
		return
	}
	if r.mayTalk(c) {
		c.session.AllowTalk()
	}
	c.session.Log(0)
	r.refuse(c)
}

// refuse tells the client why, and hears it out or lets it read that for a moment.
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
		r.drain(c)
	}
}

// dismiss closes the connection of a client that has had the time to read its reply. Bytes left
// unread would take that away from it.
func (r *room) dismiss(c *client) {
	wrapper.Drain(c.session.FD)
	r.close(c)
}

// close ends our part in the connection.
func (r *room) close(c *client) {
	c.leave()
	fd := c.session.FD
	r.clients[fd] = nil
	r.held--
	unix.Close(fd)
	c.session.FD = -1
}
