package room

import (
	"os"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper/maillog"
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

	// closingBatch is how many of those who wait are told in one round, so that the log, and
	// everybody else's ledger, keep up.
	closingBatch = 64
)

// shut lets nobody in any more, tells those who wait to come back later, and leaves those alone
// that have an MTA.
func (r *room) shut() {
	if r.stage != open {
		return
	}
	r.stage, r.closeBy, r.replacement = closing, r.now+closingTime, nil
	r.dismissed = r.countWaiting()
	r.manager.stopping()
	r.pauseListening()
}

// advance takes the room a step on its way out, or into another program.
func (r *room) advance() {
	switch at := r.idleAt(); {
	case r.stage == closing:
		r.hush()
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
		if r.abandoned() {
			r.keeps = true
			r.warnf("the super-server that has started this room is gone: the room keeps the port and does not end "+
				"by itself; to start the super-server again, end the room first (SIGTERM to process %d)", os.Getpid())
			return
		}
		r.stage = over
	}
}

// abandoned says whether the super-server that has started us, and would take the port back, has
// ended: then our parent is another than it was. One that was started anew meanwhile could not
// bind, as we have the port, and xinetd does not try again.
func (r *room) abandoned() bool { return os.Getppid() != r.parent }

// sendAway tells a client that waits to come back later.
func (r *room) sendAway(c *client) {
	passed := c.passed > 0
	c.leave()
	c.session.RefuseBusy(r.now-c.arrived, passed)
	c.session.Log(0)
	r.refuse(c)
}

// waiting are the queues of those that have no MTA yet.
func (r *room) waiting() []*queue {
	queues := []*queue{&r.admitted, &r.turns.queue, &r.seeking}
	for _, q := range r.delays {
		queues = append(queues, q)
	}
	return queues
}

func (r *room) countWaiting() (n int) {
	for _, q := range r.waiting() {
		n += q.len
	}
	return n
}

func (r *room) countServing() int { return len(r.mtas.running) + r.mtas.starting }

// depart leaves a socket that goes back to a super-server as we got it, and the last lines in the
// log. One that was ours, or is a service manager's, may be another room's as well, which a
// blocking socket would hold up.
func (r *room) depart() {
	if r.Idle {
		for _, l := range r.listeners {
			_ = unix.SetNonblock(l.fd, !l.blocking)
		}
	}
	r.payLast()
	r.closeQueue()
	reason := "idle"
	if r.closeBy > 0 {
		reason = "signal"
	}
	r.logStop(reason, r.dismissed)
	r.flushLog()
}

// logStart logs where the room serves.
func (r *room) logStart() {
	line := maillog.NewLine("START")
	for _, at := range Addresses(r.Sockets) {
		line.Addr("server", at)
	}
	_ = r.log.Log().Write(maillog.Info, line.Str("file", r.File).String())
}

// logStop logs why the room ends, how many of those that waited it has sent away, and how many
// sessions go on without it.
func (r *room) logStop(reason string, waited int) {
	line := maillog.NewLine("STOP").Str("reason", reason).Int("waiting", waited)
	line.Int("serving", r.countServing())
	_ = r.log.Log().Write(maillog.Info, line.String())
}

// payLast writes down the offences that are not written yet, within a bounded number of tries,
// before this program ends.
func (r *room) payLast() {
	for n := 0; r.door.HasUnwritten() && n < 50; n++ {
		if n > 0 {
			time.Sleep(20 * time.Millisecond)
		}
		r.payStrikes()
	}
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
