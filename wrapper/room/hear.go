package room

import "sendwrap/wrapper"

// Refused clients that are heard
//
// To wait for a client's QUIT, or to have a dialogue with it, takes a descriptor, three more system
// calls, and some for each line that it sends. The room does that while few clients are refused. In
// a flood, and when descriptors are short, a refused client reads its reply and no more.

const (
	// maxTalking is how many clients may be in a dialogue at once. A dialogue takes half a minute
	// at most; then there is a place for a sender that got 554 without one.
	maxTalking = 256

	// maxTalkingOf is how many of them may be of one network.
	maxTalkingOf = maxTalking / 8

	// maxAwaitingQuit is how many others may be heard, together with those that only read their
	// replies. As these stay for a tenth of a second, no client is heard while there are more than
	// about 600 refusals a second.
	maxAwaitingQuit = 64
)

// mayHear reports whether the room can afford to listen to a refused client.
func (r *room) mayHear(c *client) bool {
	return c.session.FD < r.capacity/2 && r.stage == open && !r.replacing()
}

// mayTalk reports whether one more client may get a dialogue.
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
func (r *room) hearOut(c *client) (ok bool) {
	long := c.session.ListenTime()
	q := &r.talking
	if !c.session.Talks() {
		q = &r.awaitingQuit
		if long == 0 || q.len+r.draining.len >= maxAwaitingQuit || !r.mayHear(c) {
			return false
		}
	}
	r.watchDialogue(c)
	c.session.Greet()
	c.refused, c.due = r.now, r.now+long
	q.push(c)
	return true
}

// watchDialogue has the poller report everything that the client does. If the poller cannot, the
// client is not heard.
func (r *room) watchDialogue(c *client) {
	err := r.poller.watchDialogue(c.session.FD, c.watched)
	if err != nil && r.mayLog(unwatchedClients) {
		r.warnf("%v: %v; the room does not hear what this client says", c.session.Client, err)
	}
	c.watched = err == nil
}

// hear answers what a refused client has said.
func (r *room) hear(c *client) {
	if c.session.Hear() {
		r.endDialogue(c)
	}
}

// endDialogue sends what is left to say. What the client does after that does not matter.
func (r *room) endDialogue(c *client) {
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

// endDialogues ends all dialogues: the room has no time for them any more, or needs their
// descriptors.
func (r *room) endDialogues() {
	for _, q := range []*queue{&r.talking, &r.awaitingQuit} {
		for c := range q.all {
			r.endDialogue(c)
		}
	}
}

// drain gives a refused client a moment to read its reply. The poller does not watch it: one more
// event for each client would cost more than to hold its descriptor for a tenth of a second.
func (r *room) drain(c *client) {
	if r.draining.len >= maxDraining {
		r.drainAndClose(r.draining.first)
	}
	c.refused, c.due = r.now, r.now+wrapper.DrainTime
	r.draining.push(c)
}
