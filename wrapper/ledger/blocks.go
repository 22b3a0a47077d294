package ledger

import (
	"math/bits"
	"net/netip"
	"slices"
	"time"
)

// BlockedNetwork is a block in force.
type BlockedNetwork struct {
	Network netip.Prefix
	Left    time.Duration
	Age     time.Duration // since it began
	Reason  string
	Times   int    // how often the network has been blocked, this time included
	ByHand  bool   // set by an administrator or his program, not because of strikes or the guard
	From    string // machine that has begun it; "" = this one
}

// blockOf is the record's block. Left is 0 if there is none.
func (l *Ledger) blockOf(c *client, now int64) BlockedNetwork {
	return BlockedNetwork{
		Network: key{c.addr, c.bits}.network(),
		Left:    time.Duration(c.blockLeft(now)) * time.Millisecond,
		Age:     time.Duration(now-c.blockedAt) * time.Millisecond,
		Reason:  c.reasonText(),
		Times:   int(c.blocks),
		ByHand:  c.marks&(byHand|byProgram) != 0,
		From:    l.OriginName(c.origin()),
	}
}

// BlockOf is the block that holds for a client counted under that network. If there are several,
// some on wide networks, it is the one that runs longest, as in Look. It reports false if there is
// none. It changes nothing and frees no sessions.
func (t *Tx) BlockOf(client netip.Addr, counted netip.Prefix) (BlockedNetwork, bool) {
	var longest longestBlock
	k := keyOf(counted)
	if i := t.l.find(k); i >= 0 {
		t.considerBlock(&longest, i)
	}
	t.considerWiderBlocks(&longest, client, k)
	if longest.left == 0 {
		return BlockedNetwork{}, false
	}
	return t.blockOf(&longest), true
}

// longestBlock is the block found so far that runs longest.
type longestBlock struct {
	record int
	left   int64 // ms; 0 = there is none
	byHand bool  // one of those found is: it may not run as long, but holds
}

// blockOf is the block that was found.
func (t *Tx) blockOf(b *longestBlock) BlockedNetwork {
	block := t.l.blockOf(t.l.record(b.record), t.now)
	block.ByHand = b.byHand
	return block
}

// considerBlock takes the block of the record if it runs longer.
func (t *Tx) considerBlock(b *longestBlock, i int) {
	c := t.l.record(i)
	left := c.blockLeft(t.now)
	if left > b.left {
		b.record, b.left = i, left
	}
	b.byHand = b.byHand || left > 0 && c.marks&(byHand|byProgram) != 0
}

// considerWiderBlocks looks for blocks of networks with another length than clients are counted
// under. Only an administrator sets these, so few lengths are in use.
func (t *Tx) considerWiderBlocks(b *longestBlock, addr netip.Addr, counted key) {
	client := keyOf(netip.PrefixFrom(addr, addr.BitLen()))
	for w, word := range t.state().lengths {
		for ; word != 0; word &= word - 1 {
			length := w*wordBits + bits.TrailingZeros64(word)
			if length == int(counted.bits) || length > 128 {
				continue
			}
			if length < 96 && client.is4() { // ::/64, in which ::1 is, is not all of IPv4
				continue
			}
			if i := t.l.find(client.widened(length)); i >= 0 {
				t.considerBlock(b, i)
			}
		}
	}
}

// Block blocks the network for d, at most [MaxBlock]. With d = 0 the block is as long as one that
// strikes would cause, and never shortens a block in force. It returns the length, or 0 if the
// ledger is full: every record that could be replaced has a live session or a block by hand.
func (t *Tx) Block(network netip.Prefix, d time.Duration, reason string, p Penalty) time.Duration {
	k := keyOf(network)
	i := t.claimRecord(k)
	if i < 0 {
		return 0
	}
	c := t.l.record(i)
	left := time.Duration(c.blockLeft(t.now)) * time.Millisecond
	if left > 0 && c.marks&byHand != 0 {
		reason = c.reasonText()
	}
	if d > 0 {
		d = max(d, left)
	}
	return t.block(k, i, d, reason, p)
}

// BlockByHand is Block for an administrator. Such a block is never ended in favour of one that was
// not set by hand, neither in a full ledger nor by [Ledger.Trim].
func (t *Tx) BlockByHand(network netip.Prefix, d time.Duration, reason string,
	p Penalty) time.Duration {
	i := t.claimRecordAs(keyOf(network), importance{rank: live})
	if d = t.block(keyOf(network), i, d, reason, p); d > 0 {
		t.l.record(i).marks |= byHand
	}
	return d
}

// BlockForProgram is Block for a program that ends its blocks itself, by [Tx.UnblockForProgram]. It
// does not change a block that already runs for as long.
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

// UnblockForProgram ends the block of exactly that network as if its time were over, if a program
// has set it. It returns the block found, whose Left is 0 if there was none, and reports whether it
// has ended it.
func (t *Tx) UnblockForProgram(network netip.Prefix) (found BlockedNetwork, ended bool) {
	i := t.l.find(keyOf(network))
	if i < 0 {
		return BlockedNetwork{}, false
	}
	c := t.l.record(i)
	found = t.l.blockOf(c, t.now)
	if found.Left == 0 || c.marks&byHand != 0 || c.marks&byProgram == 0 {
		return found, false
	}
	c = t.l.change(i)
	c.blockTill = t.now
	c.marks &^= byProgram
	t.tell(keyOf(network), outboxEvent{kind: OutboxUnblock})
	return found, true
}

// block blocks the network with that record; -1 = it has none.
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
	return t.setBlock(k, c, d, p)
}

// setBlock begins a block on a record that may be written to, or changes the end of the block that
// it has: that one stays the same block, however often it is set.
func (t *Tx) setBlock(k key, c *client, d time.Duration, p Penalty) time.Duration {
	d = min(d, MaxBlock)
	if c.blockLeft(t.now) == 0 {
		c.marks &^= byHand
	}
	c.marks &^= byProgram
	c.strikes.hangups = hangupRun{}
	if d < time.Millisecond { // no time at all: there is no block
		return 0
	}
	till := t.now + d.Milliseconds()
	if c.blockLeft(t.now) > 0 {
		// Not a further offence. A block longer than MaxBlock counts as damage, so the beginning
		// moves with the end.
		c.blockedAt = max(c.blockedAt, till-MaxBlock.Milliseconds())
	} else {
		c.blocks = c.escalation(t.now, p.Max) + 1
		c.blockedAt = t.now
	}
	c.blockTill = till
	c.setOrigin(t.mark())
	t.tellOfBlock(k, c)
	t.state().lengths[k.bits/64] |= 1 << (k.bits % 64)
	t.announceBlock(k)
	return d
}

// escalated is the length of the network's next block: doubled for each earlier one, up to the
// maximum, and forgotten when the network was not blocked for as long as the maximum. A block in
// force, which an administrator has set, is not shortened and does not count as an earlier one.
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

// Blocks lists the blocks in force, in no order. It looks at every record and keeps no process
// waiting, so the list is not a picture of one moment.
func (l *Ledger) Blocks(now Moment) (all []BlockedNetwork, err error) {
	r, err := l.newReader(now)
	if err != nil {
		return nil, err
	}
	err = r.records(func(_ int, c *client) {
		if c.blockLeft(r.now) > 0 {
			all = append(all, l.blockOf(c, r.now))
		}
	})
	return all, err
}

// Unblock ends the blocks of the network and of all networks within it, and returns those. It also
// forgets strikes and bad recipients, even of networks that are not blocked: otherwise the next one
// could block them again.
func (l *Ledger) Unblock(now Moment, network netip.Prefix) (freed []netip.Prefix, err error) {
	concerned := func(c *client, now int64) bool {
		n := key{c.addr, c.bits}.network()
		held := c.blockLeft(now) > 0 || c.strikes.newest != 0 || c.bad != window[uint8]{}
		return held && n.Bits() >= network.Bits() && network.Contains(n.Addr())
	}
	r, err := l.newReader(now)
	if err != nil {
		return nil, err
	}
	var found []int
	err = r.records(func(i int, c *client) {
		if concerned(c, r.now) {
			found = append(found, i)
		}
	})
	if err != nil {
		return nil, err
	}
	err = inParts(l, now, found, func(t *Tx, i int) {
		if c := l.record(i); c.inUse() && concerned(c, t.now) {
			c = l.change(i)
			blocked := c.blockLeft(t.now) > 0
			c.forgive()
			t.tell(key{c.addr, c.bits}, outboxEvent{kind: OutboxUnblock})
			if blocked {
				freed = append(freed, key{c.addr, c.bits}.network())
			}
		}
	})
	return freed, err
}

// forgive ends the block, and forgets what led to it.
func (c *client) forgive() {
	c.blockedAt, c.blockTill, c.blocks = 0, 0, 0
	c.strikes, c.bad, c.good = strikes{}, window[uint8]{}, window[uint8]{}
}

// inParts runs work for each of the parts, which changes one record each. It leaves the lock free
// for longer than it holds it: however many parts there are, no room loses patience. The work must
// check again whatever was found out without the lock.
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
