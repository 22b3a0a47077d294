package room

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// stage is how far the room is on its way to its end.
type stage uint8

const (
	open    stage = iota
	closing       // no client is let in; waiting clients are refused
	over
)

const (
	// closingTime is how long the shutdown may wait for clients and MTAs once every waiting client
	// has been refused. The refusals have no time limit: they wait for no client.
	closingTime = 10 * time.Second

	// closingBatch is how many waiting clients are refused in one round, so that the log, and other
	// users of the ledger, keep up.
	closingBatch = 64
)

// beginShutdown stops accepting clients. Waiting clients will be refused; clients with an MTA do
// not notice.
func (r *room) beginShutdown() {
	if r.stage != open {
		return
	}
	r.stage, r.closeBy, r.replacement = closing, r.now+closingTime, nil
	r.waiting = r.countWaiting()
	r.manager.stopping()
	r.pauseListening()
}

// stepShutdown takes the next step of a shutdown or a replacement, or ends a room that is idle.
func (r *room) stepShutdown() {
	switch at := r.idleAt(); {
	case r.stage == closing:
		r.endDialogues()
		left := closingBatch
		for _, q := range r.waitingQueues() {
			for c := range q.all {
				if left--; left < 0 {
					break
				}
				r.refuseBusy(c)
			}
		}
		if left < 0 {
			r.closeBy = r.now + closingTime
		}
		if left >= 0 && r.draining.len == 0 && r.mtas.starting == 0 || r.now >= r.closeBy {
			r.stage = over
		}
	case r.replacing():
		r.tryHandover()
	case at > 0 && r.now >= at:
		if r.superServerGone() {
			r.keepsPort = true
			r.warnf("the super-server that has started this room is gone: the room keeps the port "+
				"and does not end by itself; to start the super-server again, end the room first "+
				"(SIGTERM to process %d)", os.Getpid())
			return
		}
		r.stage = over
	}
}

// superServerGone reports whether the super-server that has started us has ended: then we have
// another parent. It would have taken the port back. One that was restarted meanwhile could not
// bind, since we have the port, and xinetd does not try again.
func (r *room) superServerGone() bool { return os.Getppid() != r.parent }

// refuseBusy asks a waiting client to come back later.
func (r *room) refuseBusy(c *client) {
	passed := c.passed > 0
	c.leave()
	c.session.RefuseBusy(r.now-c.arrived, passed)
	c.session.Account(0)
	r.refuse(c)
}

// waitingQueues are the queues of clients without an MTA.
func (r *room) waitingQueues() []*queue {
	queues := []*queue{&r.admitted, &r.turns.queue, &r.searching}
	for _, q := range r.delays {
		queues = append(queues, q)
	}
	return queues
}

func (r *room) countWaiting() (n int) {
	for _, q := range r.waitingQueues() {
		n += q.len
	}
	return n
}

func (r *room) countServing() int { return len(r.mtas.running) + r.mtas.starting }

// finish gives a super-server its socket back as we got it, and writes what is left to write. Our
// own socket, or a service manager's, stays non-blocking: another room may use it, too, and would
// block in accept(2).
func (r *room) finish() {
	if r.Idle {
		for _, l := range r.listeners {
			_ = unix.SetNonblock(l.fd, !l.blocking)
		}
	}
	r.writeLastStrikes()
	r.closeEnforce()
	reason := "idle"
	if r.closeBy > 0 {
		reason = "signal"
	}
	r.logStop(reason, r.waiting)
	r.flushLog()
}

// writeLastStrikes writes the offences that the ledger does not have yet, before this program ends.
// It gives up after 50 tries.
func (r *room) writeLastStrikes() {
	for n := 0; r.door.HasUnwritten() && n < 50; n++ {
		if n > 0 {
			time.Sleep(20 * time.Millisecond)
		}
		r.writeStrikes()
	}
}

// closeEnforce gives pending blocks a moment to be carried out.
func (r *room) closeEnforce() {
	closed := make(chan struct{})
	go func() {
		r.enforce.Close()
		close(closed)
	}()
	for {
		r.reap() // the queue may wait for a child
		select {
		case <-closed:
			return
		case <-time.After(5 * time.Millisecond):
		}
	}
}
