package resolve

import "time"

// Query is a question under way.
type Query struct {
	question Question
	until    time.Time // it ends then
	done     func(Answer)
	best     Result // what a failing server has said of it

	began time.Time // when it was first asked; zero: it was not
	due   time.Time // when something happens without an event
	index int       // in the timetable; -1: the query has ended

	next, prev *Query // in the pile of those that wait for a socket

	list  *serverList
	order []*server // those to ask, in this order; without those that have failed
	at    int       // in order: the one that is asked now
	round int       // how many times all of them were asked

	slot    int32 // in Resolver.open; -1: it waits for a socket
	fd      int   // -1: none, it pauses
	id      uint16
	foreign int     // messages that were no answer
	stream  *stream // nil: it is asked by UDP
}

// server is the one that is asked now.
func (q *Query) server() *server { return q.order[q.at] }

// Ask sends a question, and calls done once with the answer: later, in Handle, never in Ask itself.
// At the time given it ends with NoAnswer, or with what a server that did not answer has said.
//
// An address counts if it belongs to the name or to that which CNAMEs make of it. Of the names of
// PTR records those are left out that no host can have: with bytes that are no letter, digit, '-',
// '_' or '.', and longer ones than 253 bytes. A question that is no name of DNS ends with NoAnswer.
func (r *Resolver) Ask(question Question, until time.Time, done func(Answer)) *Query {
	now := time.Now()
	if _, err := pack(0, question); err != nil || until.Before(now) {
		until = now
	}
	q := &Query{question: question, until: until, due: until, done: done, slot: -1, fd: -1}
	r.due.add(q)
	if until.After(now) {
		r.waiting.add(q)
		r.startWaiting(now)
	}
	return q
}

// Cancel ends a query without an answer: done is not called any more. nil is none, and one that has
// ended is left alone.
func (r *Resolver) Cancel(q *Query) {
	if q == nil || q.index < 0 {
		return
	}
	r.remove(q)
	if !r.waiting.empty() {
		r.startWaiting(time.Now())
	}
}

// end ends a query with an answer.
func (r *Resolver) end(q *Query, a Answer) {
	done := q.done
	if !q.began.IsZero() {
		a.Took = max(1, min(time.Since(q.began), q.until.Sub(q.began)))
	}
	r.remove(q)
	done(a)
}

// remove takes a query out of everything, with its socket.
func (r *Resolver) remove(q *Query) {
	r.due.remove(q)
	r.waiting.remove(q)
	r.release(q)
	q.done, q.order, q.list = nil, nil, nil
}

// giveUp makes the query end in this Handle, or in the next if this is Ask.
func (r *Resolver) giveUp(q *Query, now time.Time) {
	r.closeSocket(q)
	q.until = now
	r.setDue(q, now)
}

// setDue says when the query is looked at again; never later than its end.
func (r *Resolver) setDue(q *Query, due time.Time) {
	if due.After(q.until) {
		due = q.until
	}
	q.due = due
	r.due.fix(q)
}
