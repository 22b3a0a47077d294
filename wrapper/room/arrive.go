package room

import (
	"sendwrap/wrapper"
	"sendwrap/wrapper/decide"
)

// Both halves of the decision, for all clients of a round that come or speak
//
// In a flood each client would cost the ledger's lock twice. So those that have come, and those
// that have spoken or left, are decided about together. What takes a system call of its own is done
// before or after: others wait for the lock.

// lockBatch is how many clients are decided about under one lock at most: well below a millisecond
// of work.
const lockBatch = 16

// deciding is a client that is being decided about.
type deciding struct {
	*client
	did   decide.Greet // so far
	waits bool         // what it does decides
}

// arrive takes in a client that was just accepted.
func (r *room) arrive(conn wrapper.Connection) {
	c := &client{session: r.door.NewSession(conn), arrived: r.now}
	r.hold(c)
	if r.arrivals = append(r.arrivals, c); len(r.arrivals) == lockBatch {
		r.decideArrivals()
	}
}

// decideArrivals makes the first half of the decision about the clients that were just accepted,
// and the second about those that have spoken or left by now: most early talkers have.
func (r *room) decideArrivals() {
	all := r.deciding[:0]
	for _, c := range r.arrivals {
		switch s := c.session; {
		case r.unconfigured != nil:
			s.Fail(r.unconfigured)
			r.refuse(c)
		case s.Allowed(): // it waits less long for the ledger than others
			r.decideArrival(c)
		case s.RefuseUnlocked():
			r.applyVerdict(c)
		default:
			all = append(all, deciding{client: c, did: r.look(c)})
		}
	}
	clear(r.arrivals)
	r.arrivals = r.arrivals[:0]
	if len(all) == 0 {
		return
	}
	r.door.Ledger.Together(func() {
		for i := range all {
			c := &all[i]
			if c.waits = c.session.Enter(); c.waits && c.did != decide.Quiet {
				c.session.Conclude(c.did, r.now-c.arrived)
			}
		}
	})
	for _, c := range all {
		if c.waits && c.did != decide.Quiet {
			c.session.SendTeaser()
			r.concluded(c.client)
		} else {
			r.arrived(c.client, c.waits)
		}
	}
	clear(all)
	r.deciding = all[:0]
}

// decideArrival is decideArrivals for a client alone.
func (r *room) decideArrival(c *client) { r.arrived(c, c.session.Arrive()) }

// arrived goes on with a client about which the first half of the decision was made.
func (r *room) arrived(c *client, waits bool) {
	if c.session.Search() != nil {
		r.searchPlace(c)
		return
	} else if !waits {
		r.applyVerdict(c)
		return
	}
	delay := c.session.Delay()
	if delay <= 0 { // it is known, or there is no greet delay
		r.endDelay(c)
		return
	}
	if r.full(c.session.FD) {
		r.logShortage()
		c.session.RefuseBusy(0, false)
		c.session.Refuse()
		r.refused++
		r.drainAndClose(c)
		return
	}
	c.session.SendTeaser()
	c.session.Ask()
	c.session.Rest()
	r.watch(c) // which reports what it has done since decideArrivals looked
	r.delayFor(c, delay)
}

// hearEarly has the second half of the decision made, for a client that was not quiet.
func (r *room) hearEarly(c *client, g decide.Greet) {
	c.leave()
	if r.deciding = append(r.deciding, deciding{client: c, did: g}); len(r.deciding) == lockBatch {
		r.concludeEarly()
	}
}

// concludeEarly makes that decision.
func (r *room) concludeEarly() {
	all := r.deciding
	if len(all) == 0 {
		return
	}
	r.door.Ledger.Together(func() {
		for _, c := range all {
			c.session.Conclude(c.did, r.now-c.arrived)
		}
	})
	for _, c := range all {
		r.concluded(c.client)
	}
	clear(all)
	r.deciding = all[:0]
}

// conclude is hearEarly for a client alone.
func (r *room) conclude(c *client, g decide.Greet) {
	c.leave()
	c.session.Conclude(g, r.now-c.arrived)
	r.concluded(c)
}

// concluded goes on with a client about which both halves of the decision were made.
func (r *room) concluded(c *client) {
	r.enforceBlock(c.session)
	r.applyVerdict(c)
}
