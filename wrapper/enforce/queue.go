package enforce

import (
	"fmt"
	"net/netip"
	"sync"
	"time"

	"sendwrap/exec"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/maillog"
)

const (
	// maxPending is how many blocks may wait in a queue to be carried out. In a flood of more, and
	// with a slow on_block, the door still refuses all their clients.
	maxPending = 1000

	queuePatience = 30 * time.Second       // for a slot to run on_block
	visitPause    = 100 * time.Millisecond // between two looks at the sessions
	missedEvery   = time.Second            // there is a line about blocks that found no place
	closeTime     = 2 * time.Second        // for what is under way when the queue is closed
)

// Queue carries out blocks beside a process that must not wait: a room, a guard. Each has one. Its
// methods may be called by any goroutine. All but Close return at once.
type Queue struct {
	hooks *exec.Hooks
	wrong error // why there are none

	mu         sync.Mutex
	config     *config.Config
	log        maillog.Log
	pending    map[netip.Prefix]*order
	toEnd      []*order // in the order in which they are due, but for changes of the grace
	toTell     chan *order
	missed     int       // blocks that found no place
	missedAt   time.Time // when the log last had a line about some
	hurry      bool      // sessions do not wait for the grace
	allowing   bool      // tellAllowed is at work
	allowAgain bool      // and has to begin again
	closed     bool
	begun      bool          // there are workers
	wake       chan struct{} // the worker that ends sessions
}

// NewQueue is a queue for a process that has no children but those of the queue. The log must not
// be one of a [maillog.Queue].
func NewQueue(c *config.Config, log maillog.Log) *Queue {
	hooks, err := exec.NewHooks(nil)
	q := NewQueueAmong(c, log, hooks)
	q.wrong = err
	return q
}

// NewQueueAmong is a queue for a process that has other children, and reaps them by hooks.
func NewQueueAmong(c *config.Config, log maillog.Log, hooks *exec.Hooks) *Queue {
	return &Queue{
		config: c, log: log, hooks: hooks, pending: map[netip.Prefix]*order{},
		toTell: make(chan *order, maxPending), wake: make(chan struct{}, 1),
	}
}

// Configure changes the configuration, also for blocks that are pending. on_block then runs for the
// networks that are blocked and allowed by now: a firewall would drop them until the block ends.
// Configure does not wait for that.
func (q *Queue) Configure(c *config.Config, log maillog.Log) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.config, q.log = c, log
	switch {
	case q.closed:
	case q.allowing:
		q.allowAgain = true
	default:
		q.allowing = true
		go q.tellAllowed()
	}
}

// Add carries out a block that has begun: on_block runs at once, and its sessions end after the
// grace. For the same network again, while it is pending, on_block runs with the new time, and the
// sessions end once.
func (q *Queue) Add(b Block) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch o := q.pending[b.Network]; {
	case q.closed:
		return
	case o != nil:
		q.again(o, b)
		return
	case len(q.pending) >= maxPending:
		q.missed++
		q.rouse()
		return
	}
	now := time.Now()
	o := &order{
		Block: b, begun: now, latest: b, latestAt: now, due: now.Add(q.config.Block.Grace), todo: 2,
	}
	q.pending[b.Network] = o
	q.toEnd = append(q.toEnd, o)
	q.toTell <- o // there is room for all that are pending
	if !q.begun {
		q.begun = true
		go q.endSessions()
		for range maxHooks {
			go q.tell()
		}
	}
	q.rouse()
}

// again runs on_block for a block that has begun once more and ends at another time: the one before
// may have been ended in between.
func (q *Queue) again(o *order, b Block) {
	now := time.Now()
	if differ := now.Add(b.For).Sub(o.latestAt.Add(o.latest.For)); differ.Abs() < time.Second {
		return
	}
	o.latest, o.latestAt = b, now
	if o.told {
		o.told = false
		o.todo++
		q.toTell <- o // there is room: it is not in there
	}
}

// Hurry ends the sessions of pending blocks without waiting for the grace, once. It reports whether
// nothing is pending. A process that is about to end, or to become another program, calls it until
// that is so, or it has taken too long.
func (q *Queue) Hurry() (idle bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.hurry = len(q.pending) > 0
	q.rouse()
	return !q.hurry && !q.allowing
}

// Close takes no more blocks, and gives those that are pending two seconds, without waiting for the
// grace. An on_block that still runs then goes on alone.
func (q *Queue) Close() {
	for deadline := time.Now().Add(closeTime); !q.Hurry() && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.closed = true
		close(q.toTell)
		q.rouse()
	}
}

func (q *Queue) rouse() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// enforcer is for one piece of work.
func (q *Queue) enforcer() *Enforcer {
	q.mu.Lock()
	defer q.mu.Unlock()
	return &Enforcer{Config: q.config, Log: q.log, hooks: q.hooks, patience: queuePatience}
}

// done says that one of the things to be done about a block has been.
func (q *Queue) done(o *order) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if o.todo--; o.todo == 0 {
		delete(q.pending, o.Network)
	}
}

// tell runs on_block for one block after the other.
func (q *Queue) tell() {
	for o := range q.toTell {
		e := q.enforcer()
		b, begun := q.taken(o)
		left := b.For - time.Since(begun)
		switch {
		case e.Config.OnBlock == nil || left <= 0:
		case q.hooks == nil:
			e.warn(fmt.Sprintf("on_block: %v", q.wrong))
		default:
			_ = e.Tell(Block{b.Network, left, b.Reason}) // logged
		}
		q.done(o)
	}
}

// taken is what on_block runs for. It runs once more for what Add gets from now on.
func (q *Queue) taken(o *order) (b Block, begun time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	o.told = true
	return o.latest, o.latestAt
}

// endSessions ends the sessions of blocks that are due.
func (q *Queue) endSessions() {
	for {
		due, missed, wait := q.takeDue(time.Now())
		if wait < 0 {
			return
		}
		e := q.enforcer()
		if missed > 0 {
			e.warn(fmt.Sprintf("%d blocks have begun while %d were yet to be carried out: "+
				"for them on_block was not run, and sessions were not ended", missed, maxPending))
		}
		if len(due) > 0 {
			q.carryOut(e, due)
			time.Sleep(visitPause)
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-q.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// takeDue returns the blocks that are due, how many were missed since, and if none is due for how
// long: below zero is for ever.
func (q *Queue) takeDue(now time.Time) (due []*order, missed int, wait time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	wait = time.Hour
	if left := q.missedAt.Add(missedEvery).Sub(now); q.missed > 0 && left > 0 && !q.closed {
		wait = left
	} else if q.missed > 0 {
		missed, q.missed, q.missedAt = q.missed, 0, now
	}
	rest := q.toEnd[:0]
	for _, o := range q.toEnd {
		left := o.due.Sub(now)
		if left <= 0 || q.hurry {
			due = append(due, o)
			continue
		}
		wait = min(wait, left)
		rest = append(rest, o)
	}
	clear(q.toEnd[len(rest):])
	q.toEnd = rest
	q.hurry = false
	if q.closed && len(due) == 0 {
		wait = -1
	}
	return due, missed, wait
}

// carryOut ends the sessions of these blocks, all in one look.
func (q *Queue) carryOut(e *Enforcer, due []*order) {
	var visit []*order
	for _, o := range due {
		o.deeds.Spared, o.handing, o.waiting, o.unseen = Spare(e.Config, o.Network), false, false, nil
		if o.deeds.Sessions == "" {
			visit = append(visit, o)
		}
	}
	if l, err := e.open(); err == nil {
		e.trim(l)
		if len(visit) > 0 {
			e.visit(l, visit, end)
		}
		_ = l.Close()
	}
	for _, o := range due {
		if o.again() && q.later(o) {
			continue
		}
		e.report(o)
		q.done(o)
	}
}

// later has a block looked at once more, soon.
func (q *Queue) later(o *order) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	o.due = time.Now().Add(visitAgain)
	q.toEnd = append(q.toEnd, o)
	return true
}
