package room

import (
	"time"

	"sendwrap/wrapper"
	"sendwrap/wrapper/config"
)

const (
	// turnTime is how long a client that has passed waits for its turn. It allows five minutes for the greeting
	// (RFC 5321 §4.5.3.2.1), of which the longest delay takes 290 s; most give up long before.
	turnTime = time.Minute

	// retryTurn is the pause after all sessions were taken. The end of one of our own MTAs makes it shorter.
	retryTurn = 50 * time.Millisecond
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

// opens is when the next start is allowed.
func (w *window) opens() time.Duration {
	if oldest := w.at[w.next]; oldest > 0 {
		return oldest + time.Second
	}
	return 0
}

func (w *window) note(now time.Duration) {
	w.at[w.next] = now
	w.next = (w.next + 1) % len(w.at)
}

// mayStart says whether an MTA can be started now, as far as the number under way and the room's stage decide that.
func (r *room) mayStart() bool {
	return r.mtas.starting < maxStarting && r.stage == open && !r.replacing()
}

// mayAdmit says whether the first in the queue can be admitted when it is time.
func (r *room) mayAdmit() bool { return r.admitted.len == 0 && r.mayStart() }

// nextTurn is when the first in the queue can be admitted, as far as time decides that.
func (r *room) nextTurn() time.Duration {
	t := max(r.mtas.retry, r.mtas.starts.opens())
	c := r.door.Config
	if len(r.mtas.running)+r.mtas.starting >= c.MaxSessions && c.Mode == config.Enforce {
		t = max(t, r.now+retryTurn)
	}
	return t
}

// admit starts MTAs for those whose turn it is: the admitted first, then those that have passed, in their order.
func (r *room) admit() {
	for {
		for c := r.admitted.first; c != nil && r.mayStart(); c = r.admitted.first {
			c.leave()
			r.start(c)
		}
		c := r.turns.first
		if c == nil || !r.mayAdmit() || r.now < r.nextTurn() {
			return
		}
		// One that was let through at once is not watched: an MTA must not be started for it if it has left since.
		if !c.watched && c.passed < r.now && r.look(c) == wrapper.Left {
			r.withdraw(c)
			continue
		}
		if !c.session.Admit(c.passed-c.arrived, r.now-c.passed) {
			r.mtas.retry = r.now + retryTurn
			return
		}
		c.leave()
		r.decided(c)
	}
}

// overdue gives up on clients whose turn has not come in time; where nothing is enforced, it comes late.
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
