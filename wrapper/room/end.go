package room

import (
	"time"

	"golang.org/x/sys/unix"
)

// stage is how far the room is on its way.
type stage uint8

const (
	open    stage = iota
	closing       // nobody is let in any more; those who wait are told so
	over
)

const (
	// closingTime bounds what is left to do when the room closes.
	closingTime = 10 * time.Second

	// closingBatch is how many of those who wait are told in one round, so that the log, and everybody else's ledger, keep up.
	closingBatch = 64
)

// shut lets nobody in any more, tells those who wait to come back later, and leaves those alone that have an MTA.
func (r *room) shut() {
	if r.stage != open {
		return
	}
	r.stage, r.closeBy, r.replacement = closing, r.now+closingTime, nil
	r.manager.stopping()
	r.pauseListening()
}

// advance takes the room a step on its way out, or into another program.
func (r *room) advance() {
	switch at := r.idleAt(); {
	case r.stage == closing:
		left := closingBatch
		for _, q := range r.waiting() {
			for c := range q.all {
				if left--; left < 0 {
					break
				}
				r.sendAway(c)
			}
		}
		if left >= 0 && r.draining.len == 0 && r.mtas.starting == 0 || r.now >= r.closeBy {
			r.stage = over
		}
	case r.replacing():
		r.handOver()
	case at > 0 && r.now >= at:
		r.stage = over
	}
}

// sendAway tells a client that waits to come back later.
func (r *room) sendAway(c *client) {
	passed := c.passed > 0
	c.leave()
	c.session.Dismiss(r.now-c.arrived, passed)
	c.session.Log(0)
	r.refuse(c)
}

// waiting are the queues of those that have no MTA yet.
func (r *room) waiting() []*queue {
	queues := []*queue{&r.admitted, &r.turns}
	for _, q := range r.delays {
		queues = append(queues, q)
	}
	return queues
}

// depart leaves a socket that goes back to a super-server as we got it, and the last lines in the log. One that was ours, or is
// a service manager's, may be another room's as well, which a blocking socket would hold up.
func (r *room) depart() {
	if r.Idle {
		for _, l := range r.listeners {
			_ = unix.SetNonblock(l.fd, !l.blocking)
		}
	}
	r.closeQueue()
	r.flushLog()
}

// closeQueue gives the blocks that are yet to be carried out a moment for it.
func (r *room) closeQueue() {
	closed := make(chan struct{})
	go func() {
		r.enforce.Close()
		close(closed)
	}()
	for {
		r.reap() // what the queue may be waiting for
		select {
		case <-closed:
			return
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// flushLog gives the log a moment to take what is left.
func (r *room) flushLog() {
	for range 100 {
		if r.log.Flush() == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
}
