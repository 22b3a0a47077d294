package room

import (
	"time"

	"sendwrap/wrapper/config"
	"sendwrap/wrapper/enforce"
)

const (
	// barEvery is how often the room looks for blocks that have begun, while there is anybody whom
	// they could concern.
	barEvery = 250 * time.Millisecond

	// Of 20,000 that wait so many are looked at in one round of the loop, asked about in the
	// ledger, and told: a millisecond's work or two. The others have to be served, too.
	barScan  = 2048
	barAsked = 512
	barBatch = 64
)

// barring is the search for clients that wait, of networks on which a block has begun, or that are
// allowed or denied by now.
type barring struct {
	lookAt   time.Duration // for further blocks
	begun    uint64        // as the ledger numbers them
	networks enforce.Networks
	all      bool // more have begun than can be named: the ledger is asked about everybody
	rules    bool // are new: everybody is held against them
	next     int  // the descriptor that is looked at next
	left     int  // so many are to be looked at
}

// bar refuses those who wait and whose network is blocked by now, at once: what they wait for they
// would not get. With kill=off they learn of it when their time is over. Those that new rules allow
// or deny need not wait any longer either.
func (r *room) bar() {
	b := &r.barring
	if r.stage != open || r.replacing() || !r.anybodyWaits() {
		return
	}
	if r.now >= b.lookAt {
		b.lookAt = r.now + barEvery
		r.lookForBlocks()
	}
	if b.left > 0 {
		r.search()
	}
}

// lookForBlocks begins a search if there is reason to. One under way goes on, and once more around.
func (r *room) lookForBlocks() {
	b := &r.barring
	networks, now, all := r.door.Ledger.BlocksSince(b.begun)
	first := b.begun == 0 && now != 0 // who was here before we looked may be concerned
	b.begun = now
	if c := r.door.Config; c.Mode == config.Observe || !c.Block.Kill {
		b.networks, b.all = enforce.Networks{}, false
		if !b.rules {
			b.left = 0
		}
		return
	}
	if len(networks) == 0 && !all && !first {
		return
	}
	r.beginSearch()
	b.networks.Add(networks...)
	b.all = b.all || all || first
}

// newRules begins a search, too.
func (r *room) newRules() {
	r.beginSearch()
	r.barring.rules = true
}

func (r *room) beginSearch() {
	b := &r.barring
	if b.left == 0 {
		b.networks, b.all, b.rules = enforce.Networks{}, false, false
	}
	b.left = len(r.clients)
}

// search goes on for one round.
func (r *room) search() {
	b := &r.barring
	asked, told := 0, 0
	for looked := 0; b.left > 0 && looked < barScan && asked < barAsked && told < barBatch; looked++ {
		if b.next >= len(r.clients) {
			b.next = 0
		}
		c := r.clients[b.next]
		b.next++
		b.left--
		if c == nil || !r.waits(c) {
			continue
		}
		decided := b.rules && c.in != &r.admitted && c.session.Ruled(c.times(r.now))
		if !decided && (b.all || b.networks.Hold(c.session.Client.Addr())) {
			asked++
			decided = c.session.Bar(c.times(r.now))
		}
		if decided {
			told++
			c.leave()
			r.decided(c)
		}
	}
	b.rules = b.rules && b.left > 0
}

// times are how long the client has waited so far, and then for its turn.
func (c *client) times(now time.Duration) (waited, turn time.Duration) {
	if c.passed == 0 {
		return now - c.arrived, 0
	}
	return c.passed - c.arrived, now - c.passed
}

// waits says whether the client has no MTA yet, and none is being started for it.
func (r *room) waits(c *client) bool {
	return c.in != nil && c.in != &r.fresh && c.refused == 0
}

func (r *room) anybodyWaits() bool {
	return r.turns.len > 0 || r.admitted.len > 0 || len(r.delays) > 0
}

// barAt is when the room looks for blocks next; 0 = not before somebody comes.
func (r *room) barAt() time.Duration {
	switch {
	case r.stage != open || r.replacing() || !r.anybodyWaits():
		return 0
	case r.barring.left > 0:
		return r.now
	}
	return r.barring.lookAt
}
