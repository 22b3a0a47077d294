package room

import (
	"os"
	"runtime"
	"time"

	"sendwrap/exec"
	"sendwrap/wrapper"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/enforce"
	"sendwrap/wrapper/maillog"
	"sendwrap/wrapper/policy"
)

// Options say how a room is made.
type Options struct {
	File    string // the configuration
	Sockets []int  // the listening sockets
	Idle    bool   // end after room_idle without clients: the super-server takes the sockets back
	Stdio   *exec.Stdio
	LogTo   func(policy.LogTarget) maillog.Log
}

// room is one process and all its state. Its methods run in one goroutine, the loop. Other
// goroutines report to the loop by notices. Times are of the monotonic clock; 0 means none.
type room struct {
	Options
	clock   clock
	now     time.Duration
	crowd   bool // things happen while the room is at work
	stage   stage
	poller  *poller
	notices *notices
	manager *serviceManager
	log     *maillog.Queue
	limiter maillog.Limiter // of lines that many clients may cause

	door         *wrapper.Door
	config       *config.Config // behind the door's policy
	unconfigured error          // why there is no configuration; every client is refused for it
	fileSeen     os.FileInfo    // the file at the last look, while there is no configuration
	reading      bool           // the configuration is being read
	readAgain    func()         // not nil: read once more after that, then call it

	listeners []*listener
	clients   []*client // by descriptor
	held      int       // how many clients there are
	capacity  int       // clients' descriptors are below this number
	reserve   int       // a descriptor to close when no other is free

	arrivals     []*client                // of this round, about which decideArrivals decides next
	deciding     []deciding               // have been heard; empty between rounds
	delays       map[time.Duration]*queue // in the greet delay, by its length
	searching    queue                    // would be refused, but idle sessions may end
	turns        turns                    // have passed, and wait for their turn
	admitted     queue                    // get their MTA next
	talking      queue                    // are refused, in a dialogue
	awaitingQuit queue                    // are refused, and may still say QUIT
	draining     queue                    // are refused, and read their replies
	silent       queue                    // have an MTA that has not sent anything yet

	mtas      mtas
	hooks     *exec.Hooks    // reaps all children, MTAs too
	enforce   *enforce.Queue // carries out blocks
	dns       int            // the descriptor that is readable when DNS has answered; -1: none
	dnsSerial int            // of its resolver
	dnsReady  bool           // it is readable

	scan    scan // of waiting clients, for new blocks and new rules
	refused int  // clients so far

	lastSecond time.Duration // when everySecond has done its work
	yieldAt    time.Duration // when Go's scheduler has its next turn
	nextSecond time.Duration // when the loop wakes up for it; 0: it need not
	searchAt   time.Duration // the next search for idle sessions, for clients in turns
	idleSince  time.Duration
	parent     int           // the super-server, if one has started us
	keepsPort  bool          // the super-server is gone
	closeBy    time.Duration // the end of the shutdown; 0: none has begun
	waiting    int           // clients that waited when the shutdown began
	reported   int           // refused, as last reported to the manager
	reportedAt time.Duration

	asking      bool         // the new program whether it can take over
	replacement *replacement // not nil: by that program, under way
}

// Run serves clients until SIGTERM or SIGINT, or until the room has been idle for room_idle. An
// error means that the room could not start or could not go on.
func Run(o Options) error {
	r, err := newRoom(o)
	if err != nil {
		return err
	}
	r.begin()
	r.logStart()
	return r.loop()
}

func (r *room) loop() error {
	for r.stage != over {
		if err := r.round(r.pause()); err != nil {
			r.logStop("error", r.countWaiting())
			r.flushLog()
			return err
		}
	}
	r.finish()
	return nil
}

// noWait is the time in which the poller returns if something has happened already. It matters for
// the number of system calls only.
const noWait = 50 * time.Microsecond

// yieldEvery is how often Go's scheduler has its turn. Otherwise its watchdog (sysmon) finds every
// 10 ms that the loop has run for too long, takes its processor away, and looks again every 20 µs:
// that was a quarter of what a flood cost.
const yieldEvery = 5 * time.Millisecond

// round goes through the loop once. It waits for events for atMost; a negative atMost means no
// limit.
func (r *room) round(atMost time.Duration) error {
	began := r.clock.now()
	events, err := r.poller.wait(atMost)
	if err != nil {
		return err
	}
	r.now = r.clock.now()
	r.crowd = r.now-began < noWait
	if r.now >= r.yieldAt {
		runtime.Gosched()
		r.yieldAt = r.now + yieldEvery
	}
	for _, e := range events { // first: new rules may allow a client that has spoken
		if int(e.Fd) == r.notices.wake {
			r.notices.handle()
		}
	}
	for _, e := range events {
		r.onEvent(int(e.Fd))
	}
	// There may be more events than fit, an answer of DNS among them, and a delay may end in this
	// round.
	r.dnsReady = r.dnsReady || len(events) == len(r.poller.events)
	r.hearDNS()
	r.concludeEarly()
	r.everySecond()
	if err := r.accept(); err != nil {
		return err
	}
	r.watchDNS()
	r.scanWaiting()
	r.expire()
	r.admit()
	r.stepShutdown()
	return nil
}

// onEvent handles an event on a socket. A descriptor that is closed during a round is not used
// again in that round, because accept comes after all events.
func (r *room) onEvent(fd int) {
	if fd == r.dns {
		r.dnsReady = true
		return
	}
	for _, l := range r.listeners {
		if l.fd == fd {
			l.ready = true
			return
		}
	}
	if fd < len(r.clients) && r.clients[fd] != nil {
		r.onClientEvent(r.clients[fd])
	}
}

// expire goes on with the clients whose time in their queue is over.
func (r *room) expire() {
	r.now = r.clock.now()
	for delay, q := range r.delays {
		for c := q.first; c != nil && c.due <= r.now; c = q.first {
			r.endDelay(c)
		}
		if q.len == 0 {
			delete(r.delays, delay)
		}
	}
	r.refuseOverdue()
	for _, q := range []*queue{&r.talking, &r.awaitingQuit} {
		for c := q.first; c != nil && c.due <= r.now; c = q.first {
			r.endDialogue(c)
		}
	}
	for c := r.draining.first; c != nil && c.due <= r.now; c = r.draining.first {
		r.drainAndClose(c)
	}
	r.releaseServed()
}

// drainSlack is how long a client may be kept beyond its time to read its reply, so that it does
// not take a wake-up of its own: others are likely to come.
const drainSlack = wrapper.DrainTime / 2

// pause is the time until something is due; negative: nothing is.
func (r *room) pause() time.Duration {
	next := r.nextSecond
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
	for _, q := range []*queue{&r.talking, &r.awaitingQuit, &r.silent, &r.turns.queue} {
		if q.first != nil {
			sooner(q.first.due)
		}
	}
	if c := r.draining.first; c != nil {
		sooner(c.due + drainSlack)
	}
	if r.turns.first != nil && r.mayAdmit() {
		sooner(max(r.nextTurn(), r.turns.askAt(), r.now))
	}
	for _, l := range r.listeners {
		if l.pausedUntil != forever {
			sooner(l.pausedUntil)
		}
	}
	if again := r.log.Flush(); again > 0 {
		sooner(r.now + again)
	}
	if left, asked := r.door.UntilDNS(); asked {
		sooner(r.now + max(1, left))
	}
	sooner(r.scanAt())
	sooner(r.idleAt())
	if r.stage != open || r.replacing() {
		sooner(r.now + 5*time.Millisecond)
	}
	if next == 0 {
		return -1
	}
	return max(0, next-r.now)
}
