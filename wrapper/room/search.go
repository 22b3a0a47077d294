package room

import (
	"time"

	"sendwrap/wrapper"
	"sendwrap/wrapper/policy"
)

// searchEvery is the least time between two searches for idle sessions that are made for clients
// waiting for their turn.
const searchEvery = time.Second

// searchPlace holds a client that has just arrived until a search for idle sessions is over. Then
// it decides about the client.
func (r *room) searchPlace(c *client) {
	r.searching.push(c)
	r.runSearch(c.session.Search(), func(ended []wrapper.Ended) {
		c.session.SearchDone(ended)
		if c.in == &r.searching {
			c.leave()
			r.decideArrival(c)
		}
	})
}

// searchForTurns starts a search for the clients that wait for their turn, if one is due. They get
// the places that it finds, in their order, when the idle MTAs have exited.
func (r *room) searchForTurns() {
	if c := r.door.Policy; c.MaxIdle == 0 || c.Mode != policy.Enforce || r.now < r.searchAt {
		return
	}
	r.searchAt = r.now + searchEvery
	if search := r.door.NewSearch(r.turns.len); search != nil {
		r.runSearch(search, func([]wrapper.Ended) {})
	}
}

// runSearch runs a search beside the loop, then calls done in the loop. MTAs of our own that the
// search has ended are reaped by then.
func (r *room) runSearch(search *wrapper.Search, done func([]wrapper.Ended)) {
	go func() {
		ended := search.Run()
		r.notices.post(func() {
			r.door.LogIdle(ended)
			r.reap()
			done(ended)
		})
	}()
}

// noPlace reports whether our own MTAs alone take all places for sessions.
func (r *room) noPlace() bool {
	c := r.door.Policy
	return r.countServing() >= c.MaxSessions && c.Mode == policy.Enforce
}
