package room

import (
	"time"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/policy"
)

const (
	// turnTime is how long a client that has passed waits for its turn. A client allows five
	// minutes for the greeting (RFC 5321 §4.5.3.2.1), of which the longest delay takes 290 s; most
	// give up long before.
	turnTime = time.Minute

	// retryTurn is the pause after all places for sessions were taken. The end of one of our own
	// MTAs ends it at once.
	retryTurn = 50 * time.Millisecond

	// crowdParts is into how many parts a second is divided, to spread starts over it in a crowd.
	crowdParts = 50
)

// window remembers the starts of the last second, to limit them to spawn_rate in any second.
type window struct {
	at   []time.Duration // a ring: the starts, the oldest at next
	next int
}

func (w *window) resize(n int) {
	if len(w.at) != n {
		w.at, w.next = make([]time.Duration, n), 0
	}
}

// opens is when the next start is allowed. In a crowd starts are spread evenly: otherwise the crowd
// would use up each second at its beginning, and a known client that comes after that would have to
// wait for the next second.
func (w *window) opens(crowd bool) time.Duration {
	at := w.after(len(w.at))
	if part := max(1, len(w.at)/crowdParts); crowd {
		at = max(at, w.after(part))
	}
	return at
}

// after is when one more start makes no more than n in n seconds / spawn_rate.
func (w *window) after(n int) time.Duration {
	nth := w.at[(w.next-n+len(w.at))%len(w.at)]
	if nth == 0 {
		return 0
	}
	return nth + time.Duration(n)*time.Second/time.Duration(len(w.at))
}

func (w *window) note(now time.Duration) {
	w.at[w.next] = now
	w.next = (w.next + 1) % len(w.at)
}

// mayStart reports whether the number of starts under way and the room's stage allow another.
func (r *room) mayStart() bool {
	return r.mtas.starting < maxStarting && r.stage == open && !r.replacing()
}

// mayAdmit reports whether the first client in turns can be admitted when it is time.
func (r *room) mayAdmit() bool { return r.admitted.len == 0 && r.mayStart() }

// nextTurn is when it is time for the first client in turns.
func (r *room) nextTurn() time.Duration {
	t := max(r.mtas.retry, r.mtas.starts.opens(r.turns.len >= r.door.Policy.SpawnRate))
	if r.noPlace() {
		t = max(t, r.now+retryTurn)
	}
	return t
}

// queueUp lets a client that has passed wait for its turn.
func (r *room) queueUp(c *client) {
	c.due = c.passed + turnTime
	of := stranger
	switch s := c.session; {
	case s.Trusted():
		of = trusted
	case s.Known():
		of = known
	}
	network, wide := c.session.Networks()
	r.turns.push(c, of, network, wide)
	c.session.Rest()
}

// countMTA counts the MTA of a client that has had its turn. An allowed client needs no turn, and
// its MTA does not count.
func (r *room) countMTA(c *client) {
	if c.session.Verdict != decide.Allowed {
		network, wide := c.session.Networks()
		r.turns.countMTA(c, network, wide)
	}
}

// admit has MTAs started for the admitted clients, then for those whose turn it is.
func (r *room) admit() {
	r.turns.beginRound(r.now)
	for {
		for c := r.admitted.first; c != nil && r.mayStart(); c = r.admitted.first {
			c.leave()
			r.requestMTA(c)
		}
		if r.turns.len > 0 && r.noPlace() {
			r.searchForTurns()
		}
		if !r.mayAdmit() || r.now < r.nextTurn() {
			return
		}
		c := r.turns.next()
		if c == nil {
			return
		}
		// The poller does not watch a client without a delay: look whether it has left, or an MTA
		// would be started in vain.
		if !c.watched && c.passed < r.now && r.hasLeft(c) {
			r.withdraw(c)
			continue
		}
		if !c.session.Admit(c.passed-c.arrived, r.now-c.passed) {
			if c.session.Crowded() { // the ledger was not available: that says nothing about places
				r.mtas.retry = r.now + retryTurn
				return
			}
			if c.session.WantsPlace() {
				r.searchForTurns()
			}
			r.turns.refuse(c, r.now)
			c.session.Rest()
			continue
		}
		if c.session.Served() {
			r.turns.start(c, r.now)
		}
		c.leave()
		r.applyVerdict(c)
	}
}

// refuseOverdue refuses the clients whose turn has not come in time. In observe mode they wait on.
func (r *room) refuseOverdue() {
	for c := r.turns.first; c != nil && c.due <= r.now; c = r.turns.first {
		if r.door.Policy.Mode == policy.Observe {
			c.due = r.now + turnTime
			return
		}
		c.leave()
		c.session.Expire(c.passed-c.arrived, r.now-c.passed)
		r.applyVerdict(c)
	}
}

// withdraw ends the session of a client that has left while it waited for its turn.
func (r *room) withdraw(c *client) {
	c.leave()
	c.session.Withdraw(c.passed-c.arrived, r.now-c.passed)
	r.applyVerdict(c)
}
