package room

// queue holds clients in the order in which they came. A client is in one queue at a time and can
// leave from any place in it. The zero queue is empty.
type queue struct {
	first, last *client
	len         int
	turns       *turns // not nil: this is the queue of all clients in turns
}

func (q *queue) push(c *client) {
	c.in, c.prev, c.next = q, q.last, nil
	if q.last == nil {
		q.first = c
	} else {
		q.last.next = c
	}
	q.last = c
	q.len++
}

// mostPassed bounds the search for a client's position.
const mostPassed = 1024

// pushByDue is push, but before clients that are due later. There is a limit to how many of these
// it passes: the client is due with the others then.
func (q *queue) pushByDue(c *client) {
	after := q.last
	for n := 0; after != nil && after.due > c.due; n++ {
		if n == mostPassed {
			c.due = after.due
			break
		}
		after = after.prev
	}
	if after == q.last {
		q.push(c)
		return
	}
	c.in, c.prev, c.next = q, after, q.first
	if after == nil {
		q.first = c
	} else {
		c.next, after.next = after.next, c
	}
	c.next.prev = c
	q.len++
}

// leave takes the client out of its queue, if it is in one.
func (c *client) leave() {
	q := c.in
	if q == nil {
		return
	}
	if c.prev == nil {
		q.first = c.next
	} else {
		c.prev.next = c.next
	}
	if c.next == nil {
		q.last = c.prev
	} else {
		c.next.prev = c.prev
	}
	q.len--
	if q.turns != nil {
		q.turns.remove(c)
	}
	c.in, c.prev, c.next = nil, nil, nil
}

// all calls yield with each client, which may leave the queue during the call.
func (q *queue) all(yield func(*client) bool) {
	for c := q.first; c != nil; {
		next := c.next
		if !yield(c) {
			return
		}
		c = next
	}
}
