package ledger

import (
	"math/bits"
	"net/netip"
	"time"
)

// BlockedNetwork is a block that runs.
type BlockedNetwork struct {
	Network netip.Prefix
	Left    time.Duration
	Age     time.Duration // since it began, or began anew
	Reason  string
	Times   int // how often it has been blocked, this one included
}

// block is the record's, with nothing left if none runs.
func (c *client) block(now int64) BlockedNetwork {
	return BlockedNetwork{
		Network: key{c.addr, c.bits}.network(),
		Left:    time.Duration(c.blockLeft(now)) * time.Millisecond,
		Age:     time.Duration(now-c.blockedAt) * time.Millisecond,
		Reason:  c.why(),
		Times:   int(c.blocks),
	}
}

// BlockOf is the block that holds the client, who is counted under the network: of all that do, be they on wider
// networks, the one that runs longest, as Look finds it. It reports false if there is none. It frees nobody's
// session and changes nothing.
func (t *Tx) BlockOf(client netip.Addr, counted netip.Prefix) (BlockedNetwork, bool) {
	var longest longestBlock
	k := keyOf(counted)
	if i := t.l.find(k); i >= 0 {
		t.lookBlock(&longest, i)
	}
	t.lookWiderBlocks(&longest, client, k)
	if longest.left == 0 {
		return BlockedNetwork{}, false
	}
	return t.l.record(longest.record).block(t.now), true
}

// longestBlock is the one found so far that runs longest.
type longestBlock struct {
	record int
	left   int64 // ms; 0 = there is none
}

// lookBlock notes the block of the record, if it runs longer than the one noted already.
func (t *Tx) lookBlock(b *longestBlock, i int) {
	if left := t.l.record(i).blockLeft(t.now); left > b.left {
		*b = longestBlock{i, left}
	}
}

// lookWiderBlocks looks for blocks on networks of another length than clients are
// counted under. Only an administrator sets these, so that the lengths in use are few.
func (t *Tx) lookWiderBlocks(b *longestBlock, addr netip.Addr, counted key) {
	client := keyOf(netip.PrefixFrom(addr, addr.BitLen()))
	for w, word := range t.state().lengths {
		for ; word != 0; word &= word - 1 {
			length := w*wordBits + bits.TrailingZeros64(word)
			if length == int(counted.bits) || length > 128 {
				continue
			}
			if length < 96 && client.is4() { // else ::/64, under which ::1 is counted, would be all of IPv4
				continue
			}
			if i := t.l.find(client.widened(length)); i >= 0 {
				t.lookBlock(b, i)
			}
		}
	}
}

// Block blocks the network for d (at most [MaxBlock]); with d = 0 for as long as the
// next strike too many would, which never shortens a block that runs. It returns how long, and 0 if there
// is no room: every record that could make place has a live session.
func (t *Tx) Block(network netip.Prefix, d time.Duration, reason string, p Penalty) time.Duration {
	k := keyOf(network)
	i := t.place(k)
	if i < 0 {
		return 0
	}
	c := t.l.change(i)
	c.seen, c.knownTill = t.now, 0
	c.setReason(reason)
	if d == 0 {
		d = t.escalated(c, p)
	}
	return t.beginBlock(k, c, d, p)
}

// beginBlock begins a block on a record that may be written to.
func (t *Tx) beginBlock(k key, c *client, d time.Duration, p Penalty) time.Duration {
	d = min(d, MaxBlock)
	if d < time.Millisecond { // no time at all, so nothing begins
		return 0
	}
	c.blocks = c.escalation(t.now, p.Max) + 1
	c.blockedAt, c.blockTill = t.now, t.now+d.Milliseconds()
	t.state().lengths[k.bits/64] |= 1 << (k.bits % 64)
	t.tellBegun(k)
	return d
}

// escalated is the length of the network's next block: doubled for each that went
// before, up to the maximum; forgotten when none has run for as long as that. One that runs, an
// administrator's say, is not made shorter.
func (t *Tx) escalated(c *client, p Penalty) time.Duration {
	d, longest := p.For, min(p.Max, MaxBlock)
	for n := min(c.escalation(t.now, p.Max), 64); n > 0 && d < longest; n-- {
		d *= 2
	}
	return max(min(d, longest), time.Duration(c.blockLeft(t.now))*time.Millisecond)
}

// Blocks lists the blocks that run, in no order. It looks at every record, a few
// buckets at a time, so that nobody waits for it; it is not one moment's picture.
func (l *Ledger) Blocks(now Moment) ([]BlockedNetwork, error) {
	var all []BlockedNetwork
	err := l.eachRecord(now, func(t *Tx, i int) {
		if c := t.l.record(i); c.blockLeft(t.now) > 0 {
			all = append(all, c.block(t.now))
		}
	})
	return all, err
}

// Unblock ends the block on the network and on all networks within it, and returns
// those. Their strikes and bad recipients are forgotten too, else the next would block them again.
func (l *Ledger) Unblock(now Moment, network netip.Prefix) ([]netip.Prefix, error) {
	var freed []netip.Prefix
	err := l.eachRecord(now, func(t *Tx, i int) {
		c := t.l.record(i)
		n := key{c.addr, c.bits}.network()
		if c.blockLeft(t.now) > 0 && n.Bits() >= network.Bits() && network.Contains(n.Addr()) {
			c = t.l.change(i)
			c.blockedAt, c.blockTill, c.blocks = 0, 0, 0
			c.strikes, c.bad = [strikesKept]int64{}, window[uint8]{}
			t.begin()
			freed = append(freed, n)
		}
	})
	return freed, err
}

// eachRecord runs work on each record in use, holding the lock for 64 buckets at a time.
func (l *Ledger) eachRecord(now Moment, work func(t *Tx, i int)) error {
	const atOnce = 64 * ways
	for from := 0; from < l.records(); from += atOnce {
		err := l.Do(now, func(t *Tx) {
			for i := from; i < min(from+atOnce, l.records()); i++ {
				if l.record(i).inUse() {
					work(t, i)
				}
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}
