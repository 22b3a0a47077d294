package room

import (
	"time"

	"sendwrap/wrapper"
	"sendwrap/wrapper/config"
)

// seekEvery is how often at most the room asks whether idle sessions are to end for those who wait
// for their turn.
const seekEvery = time.Second

// seek holds a client that has just arrived until the search is over, which decides about it.
func (r *room) seek(c *client) {
	r.seeking.push(c)
	r.runSearch(c.session.Search(), func(ended []wrapper.Ended) {
		c.session.SearchDone(ended)
		if c.in == &r.seeking {
			c.leave()
			r.enter(c)
		}
	})
}

// seekTurns has a search made for those who wait for their turn, if it is time. Places that it
// finds are theirs when the MTAs have ended, in their order.
func (r *room) seekTurns() {
	if c := r.door.Config; c.MaxIdle == 0 || c.Mode != config.Enforce || r.now < r.seekAt {
		return
	}
	r.seekAt = r.now + seekEvery
	if search := r.door.NewSearch(r.turns.len); search != nil {
		r.runSearch(search, func([]wrapper.Ended) {})
	}
}

// runSearch runs a search beside the loop. What of our own MTAs has ended is known when then is
// called.
func (r *room) runSearch(search *wrapper.Search, then func([]wrapper.Ended)) {
	go func() {
		ended := search.Run()
		r.notices.post(func() {
			r.door.LogIdle(ended)
			r.reap()
			then(ended)
		})
	}()
}

// noPlace says whether as many MTAs of our own run as sessions may.
func (r *room) noPlace() bool {
	c := r.door.Config
	return len(r.mtas.running)+r.mtas.starting >= c.MaxSessions && c.Mode == config.Enforce
}
