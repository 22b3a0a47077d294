package enforce

import (
	"net/netip"
	"sync"
	"time"

	"sendwrap/exec"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/maillog"
)

const (
	// maxPending is how many blocks may wait in a queue to be carried out. In a flood of more, with
	// a slow on_block, the clients of the others are refused all the same.
	maxPending = 1000

	queuePatience = 30 * time.Second // for a slot to run on_block
	closeTime     = 2 * time.Second  // for pending blocks when the queue is closed
)

// Queue carries out blocks beside a process that must not wait: a room or a guard. Each has one.
// Its methods may be called by any goroutine. All but Close return at once.
type Queue struct {
	mu       sync.Mutex
	enforcer Enforcer // for the next piece of work
	pending  map[netip.Prefix]*pendingBlock
	hooks    chan *pendingBlock // on_block is to run
	sessions []*pendingBlock    // sessions are to be visited
	wakeUp   chan struct{}      // the goroutine that visits them
	skipped  int                // blocks that found no place
	warnedAt time.Time          // of skipped blocks
	hurry    bool               // sessions do not wait for the grace
	freeing  bool               // runForAllowed is at work
	reread   bool               // and must begin again
	working  bool               // there are goroutines
	closed   bool
}

// NewQueue is a queue for a process that has no other children. The log must not be one of a
// [maillog.Queue].
func NewQueue(c *config.Config, log maillog.Log) *Queue {
	hooks, _ := exec.NewHooks(nil) // if that fails, each hook tries again, and logs why
	return NewQueueAmong(c, log, hooks)
}

// NewQueueAmong is a queue for a process that has other children, and reaps them by hooks.
func NewQueueAmong(c *config.Config, log maillog.Log, hooks *exec.Hooks) *Queue {
	return newQueue(Enforcer{Config: c, Log: log, hooks: hooks, patience: queuePatience})
}

func newQueue(e Enforcer) *Queue {
	return &Queue{
		enforcer: e, pending: map[netip.Prefix]*pendingBlock{},
		hooks: make(chan *pendingBlock, maxPending), wakeUp: make(chan struct{}, 1),
	}
}

// Configure changes the configuration, also for pending blocks. on_block then runs for networks
// that are blocked and now allowed, since a firewall would drop them until the block ends.
// Configure does not wait for that.
func (q *Queue) Configure(c *config.Config, log maillog.Log) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.enforcer.Config, q.enforcer.Log = c, log
	switch {
	case q.closed:
	case q.freeing:
		q.reread = true
	default:
		q.freeing = true
		go q.runForAllowed()
	}
}

// Add carries out a block that has begun: on_block runs at once, and the sessions end after the
// grace. If the same network is added again while it is pending, on_block runs with the new time,
// and the sessions end once.
func (q *Queue) Add(b Block) { q.add(b) }

// add is Add. It returns nil if there is no place for the block.
func (q *Queue) add(b Block) *pendingBlock {
	q.mu.Lock()
	defer q.mu.Unlock()
	p := q.pending[b.Network]
	switch {
	case q.closed:
		return nil
	case p != nil:
		q.addAgain(p, b)
		return p
	case len(q.pending) >= maxPending:
		q.skipped++
		q.signal()
		return nil
	}
	now := time.Now()
	p = &pendingBlock{
		Block: b, since: now, due: now, hook: b, hookEnd: now.Add(b.For), tasks: 2,
		done: make(chan struct{}),
	}
	q.pending[b.Network] = p
	q.sessions = append(q.sessions, p)
	q.hooks <- p // there is room for all that are pending
	if !q.working {
		q.working = true
		go q.endSessions()
		for range maxHooks {
			go q.runHooks()
		}
	}
	q.signal()
	return p
}

// addAgain has on_block run for a block that has begun again and ends at another time: the block
// before may have been ended in between.
func (q *Queue) addAgain(p *pendingBlock, b Block) {
	end := time.Now().Add(b.For)
	if end.Sub(p.hookEnd).Abs() < time.Second {
		return
	}
	p.hook, p.hookEnd = b, end
	if p.hookTaken {
		p.hookTaken = false
		p.tasks++
		q.hooks <- p // there is room: it is not in there
	}
}

// Hurry ends the sessions of pending blocks without waiting for the grace, once. It reports whether
// the queue is idle. A process that is about to end, or to become another program, calls it until
// the queue is idle, or has taken too long.
func (q *Queue) Hurry() (idle bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.hurry = len(q.pending) > 0
	q.signal()
	return !q.hurry && !q.freeing
}

// Close takes no more blocks, and gives the pending ones two seconds, without waiting for the
// grace. If on_block runs longer, it goes on alone.
func (q *Queue) Close() {
	for deadline := time.Now().Add(closeTime); !q.Hurry() && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
	q.stop()
}

// stop ends the goroutines when they have done what is pending.
func (q *Queue) stop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.closed = true
		close(q.hooks)
		q.signal()
	}
}

// signal has the goroutine that visits sessions look at the queue.
func (q *Queue) signal() {
	select {
	case q.wakeUp <- struct{}{}:
	default:
	}
}

// current is the enforcer for one piece of work.
func (q *Queue) current() (e Enforcer, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.enforcer, q.closed
}
