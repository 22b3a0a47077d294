package ledger

import (
	"net/netip"
	"time"
)

// Rcpts are recipients of a network within a time: those that the MTA rejected, and those that got
// a message.
type Rcpts struct {
	Bad, Good int
}

// BadRcpt counts a recipient of the network that the MTA has rejected. It returns the numbers
// within the time per before now, this one included; per is 1 ms to 24 h. They are counted as
// arrivals are: one that is older by up to a sixteenth of per may still count, and none is left
// out. From 255 on a number may be too low, but never below 255.
//
// If the ledger is full (see [Tx.Block]) the network has no record, and each is its first.
func (t *Tx) BadRcpt(network netip.Prefix, per time.Duration) Rcpts {
	return t.countRcpts(network, Rcpts{Bad: 1}, per)
}

// GoodRcpts counts n recipients of a message that the MTA has accepted, and returns the same.
func (t *Tx) GoodRcpts(network netip.Prefix, n int, per time.Duration) Rcpts {
	return t.countRcpts(network, Rcpts{Good: n}, per)
}

// Rcpts are the recipients of the network within the time. It changes nothing.
func (t *Tx) Rcpts(network netip.Prefix, per time.Duration) (n Rcpts) {
	if i := t.l.find(keyOf(network)); i >= 0 {
		n = t.l.record(i).rcpts(t.now, per)
	}
	return n
}

func (t *Tx) countRcpts(network netip.Prefix, more Rcpts, per time.Duration) Rcpts {
	k := keyOf(network)
	i := t.claimRecord(k)
	if i < 0 {
		return more
	}
	c := t.l.change(i)
	c.seen = t.now
	for _, w := range []struct {
		*window[uint8]
		n int
	}{{&c.bad, more.Bad}, {&c.good, more.Good}} {
		w.advance(t.now, rcptsPer(per))
		w.add(w.n)
	}
	now := Rcpts{c.bad.count(), c.good.count()}
	t.tellOfRcpts(k, more, now)
	return now
}

// rcpts is how many recipients there were within the time.
func (c *client) rcpts(now int64, per time.Duration) Rcpts {
	bad, good := c.bad, c.good
	bad.advance(now, rcptsPer(per))
	good.advance(now, rcptsPer(per))
	return Rcpts{bad.count(), good.count()}
}

// rcptsPer limits the time of a window to what the ledger can count.
func rcptsPer(per time.Duration) time.Duration {
	return max(time.Millisecond, min(per, strikeMemory))
}
