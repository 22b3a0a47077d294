package enforce

import (
	"net/netip"
	"slices"

	"sendwrap/wrapper/config"
	"sendwrap/wrapper/ledger"
)

// everything is what a firewall must drop no longer where nothing is enforced.
var everything = [...]netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0"),
}

// Freed are the networks that a firewall must drop no longer, though the ledger has a block there.
// Where the whole of a block is allowed it is the network of that allow line; where a part of it
// is, the block's own; with mode observe everything. None lies within another.
func Freed(c *config.Config, running []ledger.BlockedNetwork) (freed []netip.Prefix) {
	for _, b := range running {
		switch allowed, holds := c.Networks.Allowed(b.Network); {
		case c.Mode == config.Observe:
			freed = append(freed, everything[familyOf(b.Network.Addr())])
		case !holds:
		case allowed.Network.Bits() <= b.Network.Bits():
			freed = append(freed, allowed.Network)
		default:
			freed = append(freed, b.Network)
		}
	}
	slices.SortFunc(freed, netip.Prefix.Compare) // a wider one before those within
	widest := freed[:0]
	for _, n := range freed {
		if last := len(widest) - 1; last < 0 || !widest[last].Contains(n.Addr()) {
			widest = append(widest, n)
		}
	}
	return widest
}

// tellAllowed runs on_block for the networks that the configuration allows by now, one after the
// other. If the configuration changes meanwhile it goes on, and begins once more afterwards. Tell
// itself sees what the new one no longer allows.
func (q *Queue) tellAllowed() {
	for again := true; again; again = q.allowOnce() {
		for _, n := range q.enforcer().freed() {
			if q.ended() {
				break
			}
			e := q.enforcer()
			reason := "allow"
			if e.Config.Mode == config.Observe {
				reason = "observe"
			}
			_ = e.Tell(Block{Network: n, Reason: reason}) // logged
		}
	}
}

// freed is what there is to tell.
func (e *Enforcer) freed() []netip.Prefix {
	if e.Config.OnBlock == nil || e.hooks == nil {
		return nil
	}
	l, err := e.open()
	if err != nil {
		return nil // logged
	}
	defer l.Close()
	running, err := l.Blocks(ledger.Now())
	if err != nil {
		e.warn(e.Config.Ledger.Path + ": " + err.Error() + "; on_block is not run for what is allowed")
	}
	return Freed(e.Config, running)
}

// ended says whether the queue has been closed.
func (q *Queue) ended() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed
}

// allowOnce ends the work of tellAllowed, and reports whether there is more of it.
func (q *Queue) allowOnce() (again bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	again = q.allowAgain && !q.closed
	q.allowing, q.allowAgain = again, false
	return again
}
