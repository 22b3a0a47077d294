package room

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/exec"
	"sendwrap/wrapper"
	"sendwrap/wrapper/config"
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

// room is one process and all that is in it. Its methods run in one goroutine, the loop; what others have
// found out comes through post.
type room struct {
	Options
	door     *wrapper.Door // for those who come from now on
	closed   error         // why there is no configuration, so that everybody is turned away
	log      *maillog.Queue
	poller   *poller
	manager  *supervisor
	reserve  int // a descriptor to give up when there are no others
	capacity int // clients' descriptors are below this number

	listeners []*listener
	clients   []*client // by descriptor
	held      int       // of them

	delays   map[time.Duration]*queue // in the greet delay, by its length
	turns    queue                    // have passed, and wait for their turn
	admitted queue                    // get their MTA next
	draining queue                    // are refused, and read their replies
	fresh    queue                    // got an MTA less than a moment ago

	jobs     chan job
	starting int // MTAs
	starts   window
	retry    time.Duration           // no turn before this time
	mtas     map[int]*client         // by pid
	early    map[int]unix.WaitStatus // ended before we knew that they had started

	reading   bool // the configuration is being read anew
	readAgain bool // and has changed since, perhaps

	signals  chan os.Signal
	heardAll bool        // of them, up to a nil
	posts    chan func() // what the loop is to do, told by other goroutines
	wake     int         // an eventfd, for the poller's sake

	now       time.Duration // monotonic, since this round of the loop began
	tendAt    time.Duration
	idleSince time.Duration
	owing     bool          // the ledger counts sessions that are no more
	reopenAt  time.Duration // before then a ledger that could not be opened is not tried again
	refused   int           // so far
	reported  int           // of them, as told last
	failures  seldom
	endings   seldom
	shedding  seldom
	shed      int // turned away for want of a descriptor, since the log last said so

	reportedAt time.Duration
	ending     stage
	endAt      time.Duration // it may not take longer than that
	handover   *replacement  // the program that is to take our place
}

// Run serves clients until it is told to stop, or has been idle. An error is one of our own: it could not begin, or
// go on.
func Run(o Options) error {
	r, err := newRoom(o)
	if err != nil {
		return err
	}
	r.begin()
	return r.loop()
}

// loop is the room's life. Each round takes what has happened, and does what is due.
func (r *room) loop() error {
	for r.ending != over {
		events, err := r.poller.wait(r.pause())
		if err != nil {
			return err
		}
		r.now = monotonic()
		for _, e := range events {
			r.happened(int(e.Fd))
		}
		r.tend()
		r.accept()
		r.expire()
		r.admit()
		r.end()
	}
	r.depart()
	return nil
}

// happened is one event. Descriptors that this round has closed are not taken again before its end: accept comes
// after all events.
func (r *room) happened(fd int) {
	if fd == r.wake {
		r.takePosts()
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
	for delay, q := range r.delays {
		for c := q.first; c != nil && c.due <= r.now; c = q.first {
			r.quiet(c)
		}
		if q.len == 0 {
			delete(r.delays, delay)
		}
	}
	r.overdue()
	for c := r.draining.first; c != nil && c.due <= r.now; c = r.draining.first {
		r.dismiss(c)
	}
	for c := r.fresh.first; c != nil && c.due <= r.now; c = r.fresh.first {
		r.close(c)
	}
}

// pause is how long nothing will be due; below zero is for ever.
func (r *room) pause() time.Duration {
	next := r.tendAt
	sooner := func(t time.Duration) {
		if next == 0 || t < next {
			next = t
		}
	}
	for _, q := range r.delays {
		if q.first != nil {
			sooner(q.first.due)
		}
	}
	for _, q := range []*queue{&r.draining, &r.fresh} {
		if q.first != nil {
			sooner(q.first.due)
		}
	}
	if r.turns.first != nil {
		sooner(max(r.nextTurn(), r.now))
	}
	for _, l := range r.listeners {
		if l.rests > 0 && l.rests != forEver {
			sooner(l.rests)
		}
	}
	if again := r.log.Flush(); again > 0 {
		sooner(r.now + again)
	}
	if r.idleAt() > 0 {
		sooner(r.idleAt())
	}
	if r.ending != open || r.replacing() {
		sooner(r.now + 10*time.Millisecond)
	}
	if next == 0 {
		return -1
	}
	return max(0, next-r.now)
}

// post has the loop do something. It may be called by any goroutine, and does not wait for it to be done.
func (r *room) post(do func()) {
	r.posts <- do
	r.rouse()
}

func (r *room) rouse() {
	var one = [8]byte{1}
	_, _ = unix.Write(r.wake, one[:]) // it cannot be full before 2^64 of them
}

func (r *room) takePosts() {
	var n [8]byte
	_, _ = unix.Read(r.wake, n[:])
	for {
		select {
		case do := <-r.posts:
			do()
		default:
			return
		}
	}
}

// warnf writes a line about ourselves.
func (r *room) warnf(format string, args ...any) {
	_ = r.log.Log().Write(maillog.Warning, fmt.Sprintf(format, args...))
}
