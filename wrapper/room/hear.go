package room

import "sendwrap/wrapper"

// Refused clients that are heard
//
// To wait for a client's QUIT, or to talk to it, takes a descriptor, three more system calls, and
// some for each word of it. That is for those who come now and then: in a flood, and where
// descriptors are short, a refused client reads its reply and that is all.

const (
	// maxTalking is how many clients may be talked to at once. In half a minute at most there is a
	// place again for a sender that got 554 instead.
	maxTalking = 256

	// maxTalkingOf is how many clients of one network those may be.
	maxTalkingOf = maxTalking / 8

	// maxParting is how many others may be heard, together with those that only read their replies:
	// as these stay for a tenth of a second, no client is heard from some 600 refusals a second on.
	maxParting = 64
)

// mayHear says whether the room can afford to listen to a refused client.
func (r *room) mayHear(c *client) bool {
	return c.session.FD < r.capacity/2 && r.stage == open && !r.replacing()
}

// mayTalk says whether there is a place for one more to be talked to.
func (r *room) mayTalk(c *client) bool {
	if r.talking.len >= maxTalking || !r.mayHear(c) {
		return false
	}
	network, _ := c.session.Networks()
	of := 0
	for other := range r.talking.all {
		if network.Contains(other.session.Client.Addr()) {
			of++
		}
	}
	return of < maxTalkingOf
}

// hearOut refuses the client and listens to it for a while, if the room can afford that.
func (r *room) hearOut(c *client) bool {
	long := c.session.ListenTime()
	q := &r.talking
	if !c.session.Talks() {
		if q = &r.parting; long == 0 || q.len+r.draining.len >= maxParting || !r.mayHear(c) {
			return false
		}
	}
	r.follow(c)
	c.session.Greet()
	c.refused, c.due = r.now, r.now+long
	q.push(c)
	return true
}

// follow has the poller tell whenever the client has done something. Without that the client is
// not heard.
func (r *room) follow(c *client) {
	err := r.poller.follow(c.session.FD, c.watched)
	if err != nil && r.unwatched.allows(r.now) {
		r.warnf("%v: %v; it is not heard", c.session.Client, err)
	}
	c.watched = err == nil
}

// hear answers what a refused client has said.
func (r *room) hear(c *client) {
	if c.session.Hear() {
		r.part(c)
	}
}

// part ends a dialogue. What the client does from then on nobody watches.
func (r *room) part(c *client) {
	c.leave()
	if c.watched {
		r.poller.remove(c.session.FD)
		c.watched = false
	}
	if !c.session.EndTalk() {
		r.close(c)
		return
	}
	r.drain(c)
}

// hush ends all dialogues: the room has no time for them any more, or needs the descriptors.
func (r *room) hush() {
	for _, q := range []*queue{&r.talking, &r.parting} {
		for c := range q.all {
			r.part(c)
		}
	}
}

// drain lets a refused client read its reply for a moment. What it does meanwhile nobody watches:
// to be woken once more for each would cost more than to hold its descriptor for a tenth of a
// second.
func (r *room) drain(c *client) {
	if r.draining.len >= maxDraining {
		r.dismiss(r.draining.first)
	}
	c.refused, c.due = r.now, r.now+wrapper.DrainTime
	r.draining.push(c)
}
