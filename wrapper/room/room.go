package room

import (
	"time"

	"sendwrap/exec"
	"sendwrap/wrapper"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/enforce"
	"sendwrap/wrapper/maillog"
)

// Options say what a room is made of.
type Options struct {
	File    string // the configuration
	Sockets []int  // the listening sockets
	Idle    bool   // end when there have been no clients for room_idle: whoever started us takes the sockets back
	Stdio   *exec.Stdio
	LogTo   func(config.LogTarget) maillog.Log
}

// room is one process and all that is in it. Its methods run in one goroutine, the loop, and so
// does what others have found out: see notices. Times are of the monotonic clock, and 0 is none.
type room struct {
	Options
	now     time.Duration
	stage   stage
	poller  *poller
	notices *notices
	manager *supervisor
	log     *maillog.Queue

	door         *wrapper.Door
	unconfigured error  // why there is no configuration, so that everybody is turned away
	reading      bool   // the configuration is being read anew
	readAgain    func() // what follows on reading it once more, since it may have changed; nil: nothing

	listeners []*listener
	clients   []*client // by descriptor
	held      int       // of them
	capacity  int       // their descriptors are below this number
	reserve   int       // a descriptor to give up when there are no others
	shed      shed

	delays   map[time.Duration]*queue // in the greet delay, by its length
	seeking  queue                    // would be refused, but for idle sessions that may end
	turns    turns                    // have passed, and wait for their turn
	admitted queue                    // get their MTA next
	talking  queue                    // are refused, and talked to
	parting  queue                    // are refused, and may yet say QUIT
	draining queue                    // are refused, and read their replies
	fresh    queue                    // got an MTA less than a moment ago

	mtas    mtas
	hooks   *exec.Hooks    // by which children are reaped, MTAs too
	enforce *enforce.Queue // what is to be done about blocks
	barring barring        // those who wait, of networks on which a block has begun
	refused int            // clients so far

	tickAt    time.Duration
	seekAt    time.Duration // before then no idle sessions are looked for, for those in turns
	idleSince time.Duration
	parent    int           // the super-server, if one has started us
	keeps     bool          // the port, since the super-server is gone
	closeBy   time.Duration // the room may not take longer to close; 0 = nobody has told it to
	dismissed int           // so many waited when it was told to
	reported  int           // of refused, as told the manager last
	toldAt    time.Duration // when that was
	unwatched seldom        // clients that the poller did not take

	asking      bool         // a program whether it can take our place
	replacement *replacement // by that program, under way
}

// Run serves clients until it is told to stop, or has been idle. An error is one of our own: it
// could not begin, or go on.
func Run(o Options) error {
	r, err := newRoom(o)
	if err != nil {
		return err
	}
	r.begin()
	r.logStart()
	return r.loop()
}

// loop is the room's life. Each round takes what has happened, and does what is due.
func (r *room) loop() error {
	for r.stage != over {
		if err := r.round(r.pause()); err != nil {
			r.logStop("error", r.countWaiting())
			r.flushLog()
			return err
		}
	}
	r.depart()
	return nil
}

// round goes through the loop once. It waits for events for atMost; a negative atMost has no end.
func (r *room) round(atMost time.Duration) error {
	events, err := r.poller.wait(atMost)
	if err != nil {
		return err
	}
	r.now = monotonic()
	for _, e := range events {
		r.happened(int(e.Fd))
	}
	r.tick()
	if err := r.accept(); err != nil {
		return err
	}
	r.bar()
	r.expire()
	r.admit()
	r.advance()
	return nil
}

// happened is one event. Descriptors that this round has closed are not taken again before its end:
// accept comes after all events.
func (r *room) happened(fd int) {
	if fd == r.notices.wake {
		r.notices.take()
		return
	}
	for _, l := range r.listeners {
		if l.fd == fd {
			l.ready = true
			return
		}
	}
	if fd < len(r.clients) && r.clients[fd] != nil {
		r.stirred(r.clients[fd])
	}
}

// expire goes on with all whose time is over.
func (r *room) expire() {
	r.now = monotonic()
	for delay, q := range r.delays {
		for c := q.first; c != nil && c.due <= r.now; c = q.first {
			r.quiet(c)
		}
		if q.len == 0 {
			delete(r.delays, delay)
		}
	}
	r.overdue()
	for _, q := range []*queue{&r.talking, &r.parting} {
		for c := q.first; c != nil && c.due <= r.now; c = q.first {
			r.part(c)
		}
	}
	for c := r.draining.first; c != nil && c.due <= r.now; c = r.draining.first {
		r.dismiss(c)
	}
	r.letGo()
}

// pause is how long nothing will be due; below zero is for ever.
func (r *room) pause() time.Duration {
	next := r.tickAt
	sooner := func(t time.Duration) {
		if t > 0 && (next == 0 || t < next) {
			next = t
		}
	}
	for _, q := range r.delays {
		if q.first != nil {
			sooner(q.first.due)
		}
	}
	for _, q := range []*queue{&r.talking, &r.parting, &r.draining, &r.fresh, &r.turns.queue} {
		if q.first != nil {
			sooner(q.first.due)
		}
	}
	if r.turns.first != nil && r.mayAdmit() {
		sooner(max(r.nextTurn(), r.turns.askAt(), r.now))
	}
	for _, l := range r.listeners {
		if l.restsTill != forEver {
			sooner(l.restsTill)
		}
	}
	if again := r.log.Flush(); again > 0 {
		sooner(r.now + again)
	}
	sooner(r.barAt())
	sooner(r.idleAt())
	if r.stage != open || r.replacing() {
		sooner(r.now + 5*time.Millisecond)
	}
	if next == 0 {
		return -1
	}
	return max(0, next-r.now)
}
