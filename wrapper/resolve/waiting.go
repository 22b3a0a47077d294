package resolve

import "time"

// pile has the queries that wait for a socket, the newest last. That is asked first: in a crowd the
// oldest have hardly any time left, or nobody waits for them any more. Any can leave at once.
type pile struct{ first, last *Query }

func (p *pile) empty() bool { return p.first == nil }

func (p *pile) add(q *Query) {
	q.prev, q.next = p.last, nil
	if p.last == nil {
		p.first = q
	} else {
		p.last.next = q
	}
	p.last = q
}

// remove is harmless for a query that does not wait.
func (p *pile) remove(q *Query) {
	switch {
	case q.prev != nil:
		q.prev.next = q.next
	case p.first == q:
		p.first = q.next
	default:
		return
	}
	if q.next != nil {
		q.next.prev = q.prev
	} else {
		p.last = q.prev
	}
	q.prev, q.next = nil, nil
}

// startWaiting asks as many of the waiting queries as there are sockets for.
func (r *Resolver) startWaiting(now time.Time) {
	for !r.waiting.empty() && r.hasSlot() && !now.Before(r.retry) {
		if !r.openEpoll(now) {
			return
		}
		q := r.waiting.last
		r.waiting.remove(q)
		r.takeSlot(q)
		r.begin(q, now)
	}
}

// startLater puts a query back for which the kernel has no descriptor or no memory, or no random
// number yet. It is the next to be asked, at the same server.
func (r *Resolver) startLater(q *Query, now time.Time) {
	r.release(q)
	r.waiting.add(q)
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
