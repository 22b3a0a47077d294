package resolve

import "time"

// fifo has the queries that wait for a socket, the oldest first. Any can leave at once.
type fifo struct{ first, last *Query }

func (f *fifo) empty() bool { return f.first == nil }

func (f *fifo) append(q *Query) {
	q.prev, q.next = f.last, nil
	if f.last == nil {
		f.first = q
	} else {
		f.last.next = q
	}
	f.last = q
}

// prepend puts back a query that was the first already.
func (f *fifo) prepend(q *Query) {
	q.prev, q.next = nil, f.first
	if f.first == nil {
		f.last = q
	} else {
		f.first.prev = q
	}
	f.first = q
}

// remove is harmless for a query that does not wait.
func (f *fifo) remove(q *Query) {
	switch {
	case q.prev != nil:
		q.prev.next = q.next
	case f.first == q:
		f.first = q.next
	default:
		return
	}
	if q.next != nil {
		q.next.prev = q.prev
	} else {
		f.last = q.prev
	}
	q.prev, q.next = nil, nil
}

// startWaiting asks as many of the waiting queries as there are sockets for.
func (r *Resolver) startWaiting(now time.Time) {
	for !r.waiting.empty() && r.hasSlot() && !now.Before(r.retry) {
		if !r.openEpoll(now) {
			return
		}
		q := r.waiting.first
		r.waiting.remove(q)
		r.takeSlot(q)
		r.begin(q, now)
	}
}

// startLater puts a query back for which the kernel has no descriptor or no memory, or no random
// number yet. It keeps its position and its server.
func (r *Resolver) startLater(q *Query, now time.Time) {
	r.release(q)
	r.waiting.prepend(q)
	r.setDue(q, q.until)
	r.retry = now.Add(retryPause)
}

func (r *Resolver) hasSlot() bool { return len(r.free) > 0 || len(r.open) < r.most }

func (r *Resolver) takeSlot(q *Query) {
	if n := len(r.free); n > 0 {
		q.slot, r.free = r.free[n-1], r.free[:n-1]
	} else {
		q.slot = int32(len(r.open))
		r.open = append(r.open, nil)
	}
	r.open[q.slot] = q
}

// release closes the socket of a query, and gives its slot to others.
func (r *Resolver) release(q *Query) {
	r.closeSocket(q)
	if q.slot >= 0 {
		r.open[q.slot] = nil
		r.free = append(r.free, q.slot)
		q.slot = -1
		r.retry = time.Time{} // there is a descriptor now
	}
}
