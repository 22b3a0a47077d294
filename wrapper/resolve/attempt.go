package resolve

import (
	"time"

	"golang.org/x/sys/unix"
)

// begin asks the first server. If there was no descriptor for the query before, it asks the one at
// which it stopped.
func (r *Resolver) begin(q *Query, now time.Time) {
	if q.list == nil {
		q.list = r.servers(now)
		q.order = q.list.inOrder(now)
	}
	r.attempt(q, now)
}

// attempt asks the server at hand, and others after it if it cannot be reached.
//
// Each server is given the timeout of resolv.conf, but at most maxWait: a greet delay is a few
// seconds long, and a lost packet must be repeated within it. Only the last is waited for as long
// as resolv.conf says.
func (r *Resolver) attempt(q *Query, now time.Time) {
	for {
		wait := q.list.timeout
		if !q.isLast() {
			wait = min(wait, maxWait)
		}
		r.setDue(q, now.Add(wait))
		switch err := r.send(q); {
		case err == nil:
			if q.began.IsZero() {
				q.began = now
			}
			return
		case isLack(err):
			r.startLater(q, now)
			return
		}
		if !r.skip(q, now) {
			return
		}
	}
}

// skip goes on to the next server of this round, because the one at hand cannot be reached, and
// reports whether there is one. Otherwise the query pauses until the next round: the server may be
// starting again.
func (r *Resolver) skip(q *Query, now time.Time) bool {
	q.server().missed(now)
	r.closeSocket(q)
	if q.at+1 < len(q.order) {
		q.at++
		return true
	}
	return false
}

// unreachable is what follows if the kernel says that a server cannot be reached.
func (r *Resolver) unreachable(q *Query, now time.Time) {
	if r.skip(q, now) {
		r.attempt(q, now)
	}
}

// advance asks the next server. After the last of the last round the query ends. A round that ends
// with a server which cannot be reached is none, unless another has failed: where nobody listens,
// asking costs next to nothing, and DNS may be back before the query ends.
func (r *Resolver) advance(q *Query, now time.Time) {
	before := q.order[q.at]
	q.at++
	if q.at >= len(q.order) {
		q.at = 0
		if q.fd >= 0 || q.best != NoAnswer {
			q.round++
		}
	}
	if q.round >= q.list.attempts {
		r.giveUp(q, now)
		return
	}
	if q.server() != before {
		r.closeSocket(q)
	}
	r.attempt(q, now)
}

// fail goes on to the next server at once, and asks the one at hand no more: it has answered, and
// not what was asked. If no other is left, the query ends.
func (r *Resolver) fail(q *Query, why Result, now time.Time) {
	q.best = better(q.best, why)
	r.closeSocket(q)
	rest := make([]*server, 0, len(q.order)-1)
	rest = append(append(rest, q.order[:q.at]...), q.order[q.at+1:]...)
	q.order = rest
	if q.at >= len(q.order) {
		q.at = 0
		q.round++
	}
	if len(q.order) == 0 || q.round >= q.list.attempts {
		r.giveUp(q, now)
		return
	}
	r.attempt(q, now)
}

// isLast says that no server is asked after the one at hand.
func (q *Query) isLast() bool { return q.round+1 >= q.list.attempts && q.at+1 >= len(q.order) }

// better is the one that says more of why there is no answer.
func better(a, b Result) Result {
	switch {
	case a == Refused || b == Refused:
		return Refused
	case a == Failed || b == Failed:
		return Failed
	}
	return NoAnswer
}

// send sends the question by UDP. If the socket for this server is open already, the same message
// goes out by it once more: an answer to any of them counts.
func (r *Resolver) send(q *Query) error {
	if q.fd < 0 {
		id, err := r.random.id()
		if err != nil {
			return unix.EAGAIN
		}
		q.id = id
		if err := r.connect(q, unix.SOCK_DGRAM, unix.EPOLLIN); err != nil {
			return err
		}
	}
	message, err := pack(q.id, q.question)
	if err != nil {
		return err
	}
	r.calls.sends++
	if _, err := unix.Write(q.fd, message[lengthSize:]); err != nil && !isLoss(err) {
		return err
	}
	return nil
}

// isLack says that this machine lacks something which may be there soon.
func isLack(err error) bool {
	switch err {
	case unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM, unix.ENOSPC, unix.EAGAIN:
		return true
	}
	return false
}

// isLoss says that a message was not sent, but the next may be. It counts as lost on its way.
func isLoss(err error) bool {
	return err == unix.EAGAIN || err == unix.ENOBUFS || err == unix.EINTR
}
