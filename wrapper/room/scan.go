package room

import (
	"time"

	"sendwrap/wrapper/enforce"
	"sendwrap/wrapper/policy"
)

const (
	// scanEvery is how often the room looks for new blocks while clients wait.
	scanEvery = 250 * time.Millisecond

	// The most that one round of the loop does: clients to look at, of perhaps 20,000, clients to
	// ask the ledger about, and waits to end. That takes a millisecond or two; then other clients
	// have to be served.
	scanMost   = 2048
	askMost    = 512
	decideMost = 64
)

// scan is the search for waiting clients whose network has been blocked, or which are allowed or
// denied by new rules.
type scan struct {
	lookAt   time.Duration // the next look for new blocks
	blocks   uint64        // known so far, as the ledger numbers them
	networks enforce.Networks
	all      bool // there are more new blocks than networks can hold: the ledger is asked about all
	rules    bool // are new: they are applied to all
	next     int  // the next descriptor to look at
	left     int  // how many are left to look at
}

// scanWaiting refuses waiting clients as soon as their network is blocked, because their wait is
// useless. With kill=off they are refused at the end of their wait. Clients that new rules allow or
// deny do not wait any longer, either.
func (r *room) scanWaiting() {
	s := &r.scan
	if r.stage != open || r.replacing() || !r.anyWaiting() {
		return
	}
	if r.now >= s.lookAt {
		s.lookAt = r.now + scanEvery
		r.lookForBlocks()
	}
	if s.left > 0 {
		r.scanSome()
	}
}

// lookForBlocks begins a scan if there are new blocks. A scan under way starts over from where it
// is.
func (r *room) lookForBlocks() {
	s := &r.scan
	networks, now, all := r.door.Ledger.BlocksSince(s.blocks)
	first := s.blocks == 0 && now != 0 // some may be of clients that came before this first look
	s.blocks = now
	if c := r.door.Policy; c.Mode == policy.Observe || !c.Block.Kill {
		s.networks, s.all = enforce.Networks{}, false
		if !s.rules {
			s.left = 0
		}
		return
	}
	if len(networks) == 0 && !all && !first {
		return
	}
	r.beginScan()
	s.networks.Add(networks...)
	s.all = s.all || all || first
}

// scanForRules begins a scan because rules are new.
func (r *room) scanForRules() {
	r.beginScan()
	r.scan.rules = true
}

func (r *room) beginScan() {
	s := &r.scan
	if s.left == 0 {
		s.networks, s.all, s.rules = enforce.Networks{}, false, false
	}
	s.left = len(r.clients)
}

// scanSome continues the scan for one round of the loop.
func (r *room) scanSome() {
	s := &r.scan
	looked, asked, decided := 0, 0, 0
	for s.left > 0 && looked < scanMost && asked < askMost && decided < decideMost {
		looked++
		if s.next >= len(r.clients) {
			s.next = 0
		}
		c := r.clients[s.next]
		s.next++
		s.left--
		if c == nil || !r.isWaiting(c) {
			continue
		}
		ok := s.rules && c.in != &r.admitted && c.session.ConcludeByRule(c.times(r.now))
		if !ok && (s.all || s.networks.Hold(c.session.Client.Addr())) {
			asked++
			if ok = c.session.RefuseIfBlocked(c.times(r.now)); !ok {
				c.session.Rest()
			}
		}
		if ok {
			decided++
			c.leave()
			r.applyVerdict(c)
		} else if s.rules && r.inDelay(c) {
			c.session.AskIfOther()
			c.session.Rest()
		}
	}
	s.rules = s.rules && s.left > 0
}

// times are how long the client has waited for its delay, and then for its turn.
func (c *client) times(now time.Duration) (waited, turn time.Duration) {
	if c.passed == 0 {
		return now - c.arrived, 0
	}
	return c.passed - c.arrived, now - c.passed
}

// isWaiting reports whether the client has no MTA, and none is being started for it.
func (r *room) isWaiting(c *client) bool {
	return c.in != nil && c.in != &r.silent && c.refused == 0
}

func (r *room) anyWaiting() bool {
	return r.turns.len > 0 || r.admitted.len > 0 || len(r.delays) > 0
}

// scanAt is when the room scans next; 0: not before a client comes.
func (r *room) scanAt() time.Duration {
	switch {
	case r.stage != open || r.replacing() || !r.anyWaiting():
		return 0
	case r.scan.left > 0:
		return r.now
	}
	return r.scan.lookAt
}
