package guard

import (
	"net/netip"
	"slices"
	"time"

	"sendwrap/wrapper/enforce"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/policy"
)

// killTime is added to the grace: enforce ends the processes that it can end first.
const killTime = 200 * time.Millisecond

// activeBlock is the block that runs on a client's network, or the strike that a session caused.
type activeBlock struct {
	network  netip.Prefix  // of the block or strike
	left     time.Duration // 0 = none runs
	reason   string
	began    bool // just now, by this session
	deferred bool // the session is over, and whether it caused a block is decided later

	strikes, ofStrikes int // the strike of this session, and how many make a block; 0 = no strike
}

// caused reports whether the block or the strike is this session's doing.
func (b *activeBlock) caused() bool { return b.began || b.strikes > 0 }

// blockOf is the block that refuses the client. An error means that it is not known.
func (g *guard) blockOf(s *session) (block activeBlock, err error) {
	err = g.inLedger(func(t *ledger.Tx) { block = s.blockIn(t) })
	return block, err
}

// blockIn is blockOf with the ledger's lock held.
func (s *session) blockIn(t *ledger.Tx) (block activeBlock) {
	b, blocked := t.BlockOf(s.client.Addr(), s.network)
	if blocked && !s.config.IgnoresBlock(b.ByHand) {
		block = activeBlock{network: b.Network, left: b.Left, reason: b.Reason}
	}
	return block
}

// startBlock carries out a block that a session caused.
func (g *guard) startBlock(network netip.Prefix, d time.Duration) {
	g.enforce.Add(enforce.Block{Network: network, For: d, Reason: reasonBadRcpts})
	g.blockSessions([]netip.Prefix{network}, true)
}

// findNewBlocks looks for blocks that began after number seen, tells their sessions, and returns
// the number of the last one.
func (g *guard) findNewBlocks(seen uint64) uint64 {
	g.mu.Lock()
	if !g.door.Ledger.IsOpen() {
		g.mu.Unlock()
		return 0
	}
	networks, now, all := g.door.Ledger.BlocksSince(seen)
	g.mu.Unlock()
	if all || seen == 0 && now != 0 { // too many to name, or a new ledger: ask for each session
		for _, s := range g.allSessions() {
			block, err := g.blockOf(s)
			if err != nil {
				return seen // try again at the next look
			}
			if block.left > 0 {
				s.markBlocked(block.reason == reasonBadRcpts)
			}
		}
		return now
	}
	g.blockSessions(networks, false)
	return now
}

// blockSessions marks the sessions of networks on which a block has begun. guessing says that the
// block is known to be for guesses.
func (g *guard) blockSessions(networks []netip.Prefix, guessing bool) {
	if len(networks) == 0 {
		return
	}
	for _, s := range g.allSessions() {
		contains := func(n netip.Prefix) bool { return n.Contains(s.client.Addr()) }
		if s.blocked.Load() || !slices.ContainsFunc(networks, contains) {
			continue
		}
		// Without the ledger no block has been lifted. The reason counts, since findNewBlocks may
		// see the block before the session that caused it gets here.
		if block, err := g.blockOf(s); err != nil || block.left > 0 {
			s.markBlocked(guessing || block.reason == reasonBadRcpts)
		}
	}
}

// blockLifted reports whether no block runs on the client's network any more. Without the ledger
// none has been lifted.
func (g *guard) blockLifted(s *session) bool {
	block, err := g.blockOf(s)
	return err == nil && block.left == 0
}

// markBlocked answers the session with nothing but 421 from now on, and disconnects it after the
// grace; enforce has already ended the process of a session that is alone in it.
//
// A client that guesses is disconnected at once unless a message is under way: it waits for no
// reply, and could try one more name, which sendmail rejects before it asks the guard. A session
// that the guard has not answered yet gets its 421 instead.
func (s *session) markBlocked(guessing bool) {
	if s.blocked.Swap(true) || !s.answered.Load() || s.config.Mode == policy.Observe ||
		!s.config.Block.Kill {
		return
	}
	wait := s.config.Block.Grace + killTime
	if guessing && !s.busy.Load() {
		wait = 0
	}
	time.AfterFunc(wait, func() {
		if !s.guard.blockLifted(s) {
			s.disconnect()
		}
	})
}
