package ledger

import (
	"math"
	"net/netip"
	"time"
)

// What other machines have done. Call [Tx.From] first.

// ownReminded is the origin of what this machine did itself, and hears of again.
const ownReminded = ^uint8(0)

// mark is the origin as records have it.
func (t *Tx) mark() uint8 {
	if t.origin == ownReminded {
		return 0
	}
	return t.origin
}

// sameBlock is by how much two machines may differ about the end of the same block.
const sameBlock = time.Second

// BlockElsewhere blocks the network for d, whatever block it has, but does not shorten one that was
// set by hand here. It returns the length of a block that begins or whose end changes, or 0.
func (t *Tx) BlockElsewhere(network netip.Prefix, d time.Duration, reason string,
	p Penalty) time.Duration {
	k := keyOf(network)
	i := t.claimRecord(k)
	if i < 0 {
		return 0
	}
	c := t.l.record(i)
	left := time.Duration(c.blockLeft(t.now)) * time.Millisecond
	if left > 0 && (d-left).Abs() < sameBlock || c.marks&byHand != 0 && left > d {
		return 0
	}
	return t.block(k, i, d, reason, p)
}

// UnblockElsewhere ends the block of exactly that network, and forgets what led to it, as
// [Ledger.Unblock] does. It reports whether a block has ended.
func (t *Tx) UnblockElsewhere(network netip.Prefix) (ended bool) {
	i := t.l.find(keyOf(network))
	if i < 0 {
		return false
	}
	c := t.l.change(i)
	ended = c.blockLeft(t.now) > 0
	c.forgive()
	return ended
}

// KnownElsewhere makes the network known for d, unless it is blocked or has a strike here. It takes
// the place of no network that is known or blocked. It reports whether that has changed anything.
func (t *Tx) KnownElsewhere(network netip.Prefix, d time.Duration) bool {
	i := t.claimRecordAs(keyOf(network), importance{rank: known, age: math.MinInt64})
	if i < 0 {
		return false
	}
	c := t.l.record(i)
	till := t.now + min(d, MaxBlock).Milliseconds()
	if c.blockLeft(t.now) > 0 || c.strikes.within(t.now, strikeMemory) > 0 ||
		c.known(t.now) && c.knownTill >= till {
		return false
	}
	c = t.l.change(i)
	c.remember(t.now, d)
	return true
}

// RcptsElsewhere counts recipients of the network, as [Tx.BadRcpt] does. An event of the machine
// with the same number or a smaller one counts no more: it reports false.
func (t *Tx) RcptsElsewhere(number uint64, network netip.Prefix, more Rcpts,
	per time.Duration) bool {
	o := t.changeOrigin()
	if number <= o.number || t.origin == ownReminded {
		return false
	}
	o.number = number
	t.countRcpts(network, more, per)
	return true
}
