package enforce

import (
	"net/netip"
	"slices"

	"sendwrap/wrapper/config"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/policy"
)

// everything is what a firewall must let through if nothing is enforced.
var everything = [...]netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0"),
}

// networksToFree returns the networks that a firewall must not drop any more, though the ledger has
// a block there. For a block that is wholly allowed, that is the network of its allow line; for one
// that is partly allowed, the block's own network; with mode observe, everything; if the
// block line is observed, what was not blocked by hand. No network lies within another.
func networksToFree(c *config.Config, blocks []ledger.BlockedNetwork) (free []netip.Prefix) {
	for _, b := range blocks {
		switch allowed, found := c.Networks.Allowed(b.Network); {
		case c.Mode == policy.Observe:
			free = append(free, everything[familyOf(b.Network.Addr())])
		case c.IgnoresBlock(b.ByHand):
			free = append(free, b.Network)
		case !found:
		case allowed.Network.Bits() <= b.Network.Bits():
			free = append(free, allowed.Network)
		default:
			free = append(free, b.Network)
		}
	}
	slices.SortFunc(free, netip.Prefix.Compare) // a wider one before those within
	widest := free[:0]
	for _, n := range free {
		if last := len(widest) - 1; last < 0 || !widest[last].Contains(n.Addr()) {
			widest = append(widest, n)
		}
	}
	return widest
}

// runForAllowed runs on_block for the networks that the configuration now allows, one after the
// other. If the configuration changes meanwhile it goes on, and begins again afterwards; RunHook
// itself sees what the new one no longer allows.
func (q *Queue) runForAllowed() {
	for again := true; again; {
		e, _ := q.current()
		for _, n := range e.findNetworksToFree() {
			e, closed := q.current()
			if closed {
				break
			}
			reason := "observe"
			_, allowed := e.Config.Networks.Allowed(n)
			if allowed && e.Config.Mode == policy.Enforce {
				reason = "allow"
			}
			_ = e.RunHook(Block{Network: n, Reason: reason}) // logged
		}
		q.mu.Lock()
		again = q.reread && !q.closed
		q.freeing, q.reread = again, false
		q.mu.Unlock()
	}
}

// findNetworksToFree reads the ledger for them.
func (e *Enforcer) findNetworksToFree() []netip.Prefix {
	if e.Config.OnBlock == nil {
		return nil
	}
	l, err := e.open()
	if err != nil {
		return nil // logged
	}
	defer l.Close()
	blocks, err := l.Blocks(ledger.Now())
	if err != nil {
		e.warn(e.Config.Ledger.Path + ": " + err.Error() +
			"; on_block is not run for networks that are now allowed")
	}
	return networksToFree(e.Config, blocks)
}
