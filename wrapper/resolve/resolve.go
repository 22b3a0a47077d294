// Package resolve asks DNS without ever blocking: one descriptor says when there is something to
// do, so that a process with one client can wait for both in one poll(2), and a room in its epoll.
//
// An answer counts only if it comes from the address and port that were asked (the kernel sees to
// that: the socket is connected), with the id and the question of the query. Each query has a
// socket of its own, whose port the kernel chooses, and a random id: an attacker that does not see
// the query has to guess both. After 8 messages that are no answer, the question goes by TCP.
//
// What fails ends as a [Result]: no server, no descriptor, garbage. Everything is bounded: 512
// sockets or less, 64 KiB for an answer by TCP, and the time that the caller gives.
//
// A query goes this way: ask.go takes it, waiting.go keeps it while there is no socket, attempt.go
// asks one server after the other, datagram.go and stream.go read what comes back, message.go and
// answer.go make bytes of it and understand them. timetable.go knows which query is due next,
// servers.go and resolvconf.go which servers there are.
package resolve

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// Type is the type of the records that are asked for.
type Type uint16

const (
	A    Type = 1
	PTR  Type = 12
	AAAA Type = 28
)

// Question is a name and a type.
type Question struct {
	Name string // without a dot at the end
	Type Type
}

// Result says what came of a question.
type Result uint8

const (
	NoAnswer Result = iota // none came in time, or no server could be asked
	Found                  // there are records
	NotFound               // the name does not exist, or has no record of this type
	Refused                // the server does not want to answer (REFUSED)
	Failed                 // the server could not answer (SERVFAIL and others)
)

// Answer is what DNS has said.
type Answer struct {
	Result Result
	Addrs  []netip.Addr  // of A and AAAA, at most maxRecords
	Names  []string      // of PTR, at most maxRecords; lower case, without the dot, see Ask
	TTL    time.Duration // the smallest of the records, or of the SOA if there is none
	Took   time.Duration // since it was first asked; 0: never, there was no socket for it
}

const (
	// maxSockets is how many sockets a Resolver has at once; further questions wait. Where there
	// are few descriptors, clients need them: it has one in socketShare, but minSockets.
	maxSockets  = 512
	socketShare = 8
	minSockets  = 8

	// retryPause is how long we wait for a descriptor or memory that the kernel did not have.
	retryPause = 100 * time.Millisecond

	// maxEvents is about how many events one Handle works off.
	maxEvents = 1024
)

// Resolver asks questions. It may be used by one goroutine at a time.
type Resolver struct {
	source source
	random random

	most  int      // sockets at once
	epoll int      // -1: not made yet
	open  []*Query // by slot: those that have a socket, or pause between two
	free  []int32  // slots of open that nobody has

	due     timetable
	waiting pile
	retry   time.Time // nothing of waiting is tried before

	datagram [maxDatagram + 1]byte // that was read last; one more shows that it was longer

	calls struct{ waits, reads, sends, sockets, looks int } // so far, of the kernel
}

// New is a resolver that asks these servers, in this order, or those of /etc/resolv.conf if there
// are none. It opens nothing before the first Ask.
func New(servers []netip.AddrPort) *Resolver {
	r := &Resolver{
		most: mostSockets(), epoll: -1, source: source{path: "/etc/resolv.conf", port: 53},
	}
	if len(servers) > 0 {
		r.source.fixed = true
		r.source.list = newServerList(servers)
	}
	return r
}

func mostSockets() int {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return minSockets
	}
	return int(max(minSockets, min(maxSockets, limit.Cur/socketShare)))
}

// Servers are those that the next question would be sent to.
func (r *Resolver) Servers() (addrs []netip.AddrPort) {
	for _, s := range r.servers(time.Now()).servers {
		addrs = append(addrs, s.addr)
	}
	return addrs
}

// FD is readable when Handle has something to do. It is -1 while nothing has been asked, and while
// the process has no descriptor for it. Once there is one it stays the same until Close.
func (r *Resolver) FD() int { return r.epoll }

// Due is when Handle has to be called at the latest; the zero Time while nothing is asked. Ask and
// Handle may bring it forward.
func (r *Resolver) Due() time.Time {
	due := r.due.first()
	if !r.waiting.empty() && r.hasSlot() && r.retry.Before(due) {
		due = r.retry
	}
	return due
}

// Handle reads what has come, and asks again where that is due. It never waits. What it leaves
// undone keeps FD readable, or Due in the past.
//
// It calls what was given to Ask. That may call Ask, Cancel and Close, but not Handle.
func (r *Resolver) Handle() {
	now := time.Now()
	var events [64]unix.EpollEvent
	for range maxEvents / len(events) {
		n := r.poll(events[:])
		for _, e := range events[:n] {
			r.onEvent(e, now)
		}
		if n < len(events) {
			break
		}
	}
	for q := r.due.head(); q != nil && !q.due.After(now); q = r.due.head() {
		r.onDue(q, now)
	}
	r.startWaiting(now)
}

// poll is epoll_wait(2) without waiting.
func (r *Resolver) poll(events []unix.EpollEvent) int {
	if r.epoll < 0 {
		return 0
	}
	r.calls.waits++
	n, err := unix.EpollWait(r.epoll, events, 0)
	if err != nil {
		return 0 // EINTR: the caller sees FD readable still
	}
	return n
}

// onEvent reads or writes the socket of an event. The slot may have another by now, if its query
// has ended in this Handle: that is then read in vain, which does no harm.
func (r *Resolver) onEvent(e unix.EpollEvent, now time.Time) {
	if int(e.Fd) >= len(r.open) {
		return // closed meanwhile
	}
	q := r.open[e.Fd]
	if q == nil || q.fd < 0 {
		return
	}
	if q.stream != nil {
		r.onStream(q, now)
	} else {
		r.onDatagrams(q, now)
	}
}

// onDue ends a query whose time is over, or asks the next server.
func (r *Resolver) onDue(q *Query, now time.Time) {
	switch {
	case !q.until.After(now):
		r.end(q, Answer{Result: q.best})
	case q.stream != nil:
		r.fail(q, Failed, now)
	default:
		if q.fd >= 0 {
			q.server().missed(now)
		}
		r.advance(q, now)
	}
}

// Close ends all queries without an answer. A later Ask opens the Resolver again.
func (r *Resolver) Close() {
	for q := r.due.head(); q != nil; q = r.due.head() {
		r.remove(q)
	}
	if r.epoll >= 0 {
		unix.Close(r.epoll)
	}
	r.epoll, r.open, r.free = -1, nil, nil
}
