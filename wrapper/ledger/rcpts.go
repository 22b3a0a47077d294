package ledger

import (
	"net/netip"
	"time"
)

// Rcpts are recipients of a network within a time: those that the MTA rejected, and those that had
// a message.
type Rcpts struct {
	Bad, Good int
}

// BadRcpt counts one recipient of the network that the MTA has rejected, and returns how many there
// were in any time so long that ends now, this one included; per is 1 ms to 24 h. They are counted
// as arrivals are: one that is older by up to a sixteenth may still count, none is left out. From
// 255 on a number may be too low, but never below 255.
//
// Where the network has no record and gets none, since all that could make place have live
// sessions, it is the first each time.
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
	i := t.place(keyOf(network))
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
	return Rcpts{c.bad.count(), c.good.count()}
}

// rcpts is how many recipients there were within the time.
func (c *client) rcpts(now int64, per time.Duration) Rcpts {
	bad, good := c.bad, c.good
	bad.advance(now, rcptsPer(per))
	good.advance(now, rcptsPer(per))
	return Rcpts{bad.count(), good.count()}
}

// rcptsPer keeps the time of a window to what the ledger can count.
func rcptsPer(per time.Duration) time.Duration {
	return max(time.Millisecond, min(per, strikeMemory))
}
