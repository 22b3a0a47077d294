package ledger

import (
	"math/bits"
	"net/netip"
	"slices"
	"time"
)

// BlockedNetwork is a block that runs.
type BlockedNetwork struct {
	Network netip.Prefix
	Left    time.Duration
	Age     time.Duration // since it began
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

// BlockOf is the block that holds the client, who is counted under the network: of all that do, be
// they on wider networks, the one that runs longest, as Look finds it. It reports false if there is
// none. It frees nobody's session and changes nothing.
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

// Block blocks the network for d (at most [MaxBlock]); with d = 0 for as long as the next strike
// too many would, which never shortens a block that runs. It returns how long, and 0 if there is no
// room: every record that could make place has a live session or a block by hand.
func (t *Tx) Block(network netip.Prefix, d time.Duration, reason string, p Penalty) time.Duration {
	k := keyOf(network)
	i := t.place(k)
	if i < 0 {
		return 0
	}
	c := t.l.record(i)
	left := time.Duration(c.blockLeft(t.now)) * time.Millisecond
	if left > 0 && c.marks&byHand != 0 {
		reason = c.why()
	}
	if d > 0 {
		d = max(d, left)
	}
	return t.block(k, i, d, reason, p)
}

// BlockByHand is Block for an administrator. Neither in a full ledger nor by [Ledger.Trim] does the
// block end for the sake of one that nobody has set by hand.
func (t *Tx) BlockByHand(network netip.Prefix, d time.Duration, reason string, p Penalty) time.Duration {
	i := t.placeOf(keyOf(network), importance{rank: live})
	if d = t.block(keyOf(network), i, d, reason, p); d > 0 {
		t.l.record(i).marks |= byHand
	}
	return d
}

// BlockForProgram is Block for a program that ends its blocks itself, by [Tx.UnblockForProgram]. A
// block that runs for as long already is left to whoever has begun it.
func (t *Tx) BlockForProgram(network netip.Prefix, d time.Duration, reason string,
	p Penalty) time.Duration {
	if i := t.l.find(keyOf(network)); i >= 0 {
		left := time.Duration(t.l.record(i).blockLeft(t.now)) * time.Millisecond
		if left > 0 && left >= d {
			return left
		}
	}
	if d = t.Block(network, d, reason, p); d > 0 {
		t.l.record(t.l.find(keyOf(network))).marks |= byProgram
	}
	return d
}

// UnblockForProgram ends the block on that very network as if its time were over, if a program has
// begun it. It returns the block that is there, and reports whether it has ended it; with nothing
// left there was none.
func (t *Tx) UnblockForProgram(network netip.Prefix) (was BlockedNetwork, ended bool) {
	i := t.l.find(keyOf(network))
	if i < 0 {
		return BlockedNetwork{}, false
	}
	c := t.l.record(i)
	was = c.block(t.now)
	if was.Left == 0 || c.marks&byHand != 0 || c.marks&byProgram == 0 {
		return was, false
	}
	c = t.l.change(i)
	c.blockTill = t.now
	c.marks &^= byProgram
	return was, true
}

// block blocks the network whose record that is, if it has one.
func (t *Tx) block(k key, record int, d time.Duration, reason string, p Penalty) time.Duration {
	if record < 0 {
		return 0
	}
	c := t.l.change(record)
	c.seen, c.knownTill = t.now, 0
	c.setReason(reason)
	if d == 0 {
		d = t.escalated(c, p)
	}
	return t.beginBlock(k, c, d, p)
}

// beginBlock begins a block on a record that may be written to. Of one that runs only the end
// changes: it goes on being the same one, however often it is set.
func (t *Tx) beginBlock(k key, c *client, d time.Duration, p Penalty) time.Duration {
	d = min(d, MaxBlock)
	if c.blockLeft(t.now) == 0 {
		c.marks &^= byHand
	}
	c.marks &^= byProgram
	c.strikes.quiet = row{}
	if d < time.Millisecond { // no time at all, so nothing begins
		return 0
	}
	till := t.now + d.Milliseconds()
	if c.blockLeft(t.now) > 0 {
		// No further offence. What is further from its beginning than MaxBlock counts as damage.
		c.blockedAt = max(c.blockedAt, till-MaxBlock.Milliseconds())
	} else {
		c.blocks = c.escalation(t.now, p.Max) + 1
		c.blockedAt = t.now
	}
	c.blockTill = till
	t.state().lengths[k.bits/64] |= 1 << (k.bits % 64)
	t.tellBegun(k)
	return d
}

// escalated is the length of the network's next block: doubled for each that went
// before, up to the maximum; forgotten when none has run for as long as that. One that runs, an
// administrator's say, is not made shorter, and has not gone before.
func (t *Tx) escalated(c *client, p Penalty) time.Duration {
	d, longest := p.For, min(p.Max, MaxBlock)
	n := min(c.escalation(t.now, p.Max), 64)
	if n > 0 && c.blockLeft(t.now) > 0 {
		n--
	}
	for ; n > 0 && d < longest; n-- {
		d *= 2
	}
	return max(min(d, longest), time.Duration(c.blockLeft(t.now))*time.Millisecond)
}

// Blocks lists the blocks that run, in no order. It looks at every record, and nobody waits for it;
// it is not one moment's picture.
func (l *Ledger) Blocks(now Moment) (all []BlockedNetwork, err error) {
	r, err := l.reading(now)
	if err != nil {
		return nil, err
	}
	err = r.records(func(_ int, c *client) {
		if c.blockLeft(r.now) > 0 {
			all = append(all, c.block(r.now))
		}
	})
	return all, err
}

// Unblock ends the block on the network and on all networks within it, and returns those. Strikes
// and recipients are forgotten too, or the next would block them again; also those of networks that
// have no block yet.
func (l *Ledger) Unblock(now Moment, network netip.Prefix) (freed []netip.Prefix, err error) {
	within := func(c *client, now int64) bool {
		n := key{c.addr, c.bits}.network()
		held := c.blockLeft(now) > 0 || c.strikes.newest != 0 || c.bad != window[uint8]{}
		return held && n.Bits() >= network.Bits() && network.Contains(n.Addr())
	}
	r, err := l.reading(now)
	if err != nil {
		return nil, err
	}
	var held []int
	err = r.records(func(i int, c *client) {
		if within(c, r.now) {
			held = append(held, i)
		}
	})
	if err != nil {
		return nil, err
	}
	err = inParts(l, now, held, func(t *Tx, i int) {
		if c := l.record(i); c.inUse() && within(c, t.now) {
			c = l.change(i)
			blocked := c.blockLeft(t.now) > 0
			c.blockedAt, c.blockTill, c.blocks = 0, 0, 0
			c.strikes, c.bad, c.good = strikes{}, window[uint8]{}, window[uint8]{}
			if blocked {
				freed = append(freed, key{c.addr, c.bits}.network())
			}
		}
	})
	return freed, err
}

// inParts runs work for each of the parts, which changes one record each, and leaves the lock to
// others for longer than it has it: however many parts there are, a room does not give up for them.
// Whatever was found out without the lock must be looked at again.
func inParts[T any](l *Ledger, now Moment, parts []T, work func(*Tx, T)) error {
	const atOnce = 16 // records that fit in the undo log
	for some := range slices.Chunk(parts, atOnce) {
		err := l.Do(now, func(t *Tx) {
			for _, part := range some {
				work(t, part)
			}
		})
		if err != nil {
			return err
		}
		time.Sleep(shortestPause)
	}
	return nil
}
