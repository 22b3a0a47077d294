package room

import (
	"time"

	"sendwrap/wrapper/config"
	"sendwrap/wrapper/decide"
)

const (
	// turnTime is how long a client that has passed waits for its turn. It allows five minutes for
	// the greeting (RFC 5321 §4.5.3.2.1), of which the longest delay takes 290 s; most give up long
	// before.
	turnTime = time.Minute

	// retryTurn is the pause after all sessions were taken. The end of one of our own MTAs makes it
	// shorter.
	retryTurn = 50 * time.Millisecond

	// parts are those of a second over which starts are spread in a crowd.
	parts = 50
)

// window keeps the starts of the last second, to allow no more than so many in any second.
type window struct {
	at   []time.Duration // a ring: the starts, the oldest at next
	next int
}

func (w *window) resize(n int) {
	if len(w.at) != n {
		w.at, w.next = make([]time.Duration, n), 0
	}
}

// opens is when the next start is allowed. In a crowd starts come evenly: at the beginning of each
// second the crowd would else take all of it, and whoever comes then would wait for the next one.
func (w *window) opens(crowd bool) time.Duration {
	at := w.after(len(w.at))
	if part := max(1, len(w.at)/parts); crowd {
		at = max(at, w.after(part))
	}
	return at
}

// after is when n starts in n seconds / spawn_rate are no more than that, with the next one.
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

// mayStart says whether an MTA can be started now, as far as the number under way and the room's
// stage decide that.
func (r *room) mayStart() bool {
	return r.mtas.starting < maxStarting && r.stage == open && !r.replacing()
}

// mayAdmit says whether the first in the queue can be admitted when it is time.
func (r *room) mayAdmit() bool { return r.admitted.len == 0 && r.mayStart() }

// nextTurn is when the first in the queue can be admitted, as far as time decides that.
func (r *room) nextTurn() time.Duration {
	t := max(r.mtas.retry, r.mtas.starts.opens(r.turns.len >= r.door.Config.SpawnRate))
	if r.noPlace() {
		t = max(t, r.now+retryTurn)
	}
	return t
}

// queueUp has a client that has passed wait for its turn.
func (r *room) queueUp(c *client) {
	c.due = c.passed + turnTime
	of := stranger
	switch s := c.session; {
	case s.Trusted():
		of = trusted
	case s.Known():
		of = known
	}
	network, wider := c.session.Networks()
	r.turns.push(c, of, network, wider)
}

// served counts the MTA of a client that has had its turn. One that is allowed needs none.
func (r *room) served(c *client) {
	if c.session.Verdict != decide.Allowed {
		network, wider := c.session.Networks()
		r.turns.runs(c, network, wider)
	}
}

// admit starts MTAs for those whose turn it is: the admitted first, then those that have passed.
func (r *room) admit() {
	r.turns.begin(r.now)
	for {
		for c := r.admitted.first; c != nil && r.mayStart(); c = r.admitted.first {
			c.leave()
			r.start(c)
		}
		if r.turns.len > 0 && r.noPlace() {
			r.seekTurns()
		}
		if !r.mayAdmit() || r.now < r.nextTurn() {
			return
		}
		c := r.turns.next()
		if c == nil {
			return
		}
		// One that was let through at once is not watched: an MTA must not be started for it if it
		// has left since.
		if !c.watched && c.passed < r.now && r.look(c) == decide.Left {
			r.withdraw(c)
			continue
		}
		if !c.session.Admit(c.passed-c.arrived, r.now-c.passed) {
			if c.session.Crowded() { // the ledger was not to be had: that says nothing about places
				r.mtas.retry = r.now + retryTurn
				return
			}
			if c.session.WantsPlace() {
				r.seekTurns()
			}
			r.turns.refuse(c, r.now)
			continue
		}
		if c.session.Served() {
			r.turns.start(c, r.now)
		}
		c.leave()
		r.decided(c)
	}
}

// overdue gives up on clients whose turn has not come in time; where nothing is enforced, it comes
// late.
func (r *room) overdue() {
	for c := r.turns.first; c != nil && c.due <= r.now; c = r.turns.first {
		if r.door.Config.Mode == config.Observe {
			c.due = r.now + turnTime
			return
		}
		c.leave()
		c.session.Expire(c.passed-c.arrived, r.now-c.passed)
		r.decided(c)
	}
}

// withdraw is for a client that has left while it waited for its turn.
func (r *room) withdraw(c *client) {
	c.leave()
	c.session.Withdraw(c.passed-c.arrived, r.now-c.passed)
	r.decided(c)
}
