package resolve

import (
	"time"

	"golang.org/x/sys/unix"
)

const (
	// maxDatagram is how large an answer by UDP may be, which each query says (EDNS, RFC 6891). No
	// larger one passes every network in one piece (RFC 9715 section 3.2 gives no more than 1400).
	maxDatagram = 1232

	// maxForeign is how many messages that are no answer a socket may get before the question goes
	// by TCP. They have the server's address and port: somebody guesses ids, and has the port. A
	// late answer to an earlier user of this port may be among them.
	maxForeign = 8

	// maxReads is how often one socket is read in one Handle.
	maxReads = 16
)

// onDatagrams reads what has come by UDP.
func (r *Resolver) onDatagrams(q *Query, now time.Time) {
	buf := &r.datagram
	for range maxReads {
		r.calls.reads++
		n, err := unix.Read(q.fd, buf[:])
		switch {
		case err == unix.EAGAIN:
			return
		case err == unix.EINTR:
			continue
		case err != nil:
			r.unreachable(q, now)
			return
		}
		answer, what := read(buf[:min(n, maxDatagram)], q.id, q.question)
		if what == answered && n > maxDatagram {
			what = truncated
		}
		if what != foreign {
			r.onMessage(q, answer, what, now)
			return
		}
		if q.foreign++; q.foreign > maxForeign {
			r.askByStream(q, now)
			return
		}
	}
}

// onMessage is what follows from a message of the server that was asked.
func (r *Resolver) onMessage(q *Query, answer Answer, what reading, now time.Time) {
	q.server().answered()
	switch {
	case what == truncated && q.stream == nil:
		r.askByStream(q, now)
	case what == truncated:
		r.fail(q, Failed, now)
	case answer.Result == Found || answer.Result == NotFound:
		r.end(q, answer)
	default:
		r.fail(q, answer.Result, now)
	}
}
