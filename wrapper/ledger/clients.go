package ledger

import (
	"math"
	"net/netip"
	"time"
)

// MaxBlock is the longest possible block; a record that says more is damaged.
const MaxBlock = 31 * 24 * time.Hour

// What marks say of a record's network.
const (
	byHand         uint8 = 1 << iota // an administrator blocked it
	delivered                        // a message of its clients was accepted
	byProgram                        // it was blocked by [Tx.BlockForProgram]
	knownByHangups                   // see [Tx.RememberForHangups]
)

// strikeMemory is how long a strike (block within=) or a bad recipient can matter to any
// configuration.
const strikeMemory = 24 * time.Hour

// key is a network in the form of records: the IPv6 form of its address, and its bits.
type key struct {
	addr [16]byte
	bits uint8
}

// keyOf is the key of a network; host bits do not matter.
func keyOf(n netip.Prefix) key {
	n = n.Masked()
	bits := n.Bits()
	if n.Addr().Is4() {
		bits += 96
	}
	return key{n.Addr().As16(), uint8(bits)}
}

// is4 says whether the key is an IPv4 network's.
func (k key) is4() bool { return k.bits >= 96 && netip.AddrFrom16(k.addr).Is4In6() }

// network is the prefix that keyOf was given.
func (k key) network() netip.Prefix {
	addr := netip.AddrFrom16(k.addr)
	if k.is4() {
		return netip.PrefixFrom(addr.Unmap(), int(k.bits)-96)
	}
	return netip.PrefixFrom(addr, int(k.bits))
}

// widened is the key of the network of fewer bits around k.
func (k key) widened(bits int) key {
	w := key{bits: uint8(bits)}
	copy(w.addr[:], k.addr[:bits/8])
	if bits%8 != 0 {
		w.addr[bits/8] = k.addr[bits/8] & (0xff << (8 - bits%8))
	}
	return w
}

// buckets are the two in which the key's record may be.
func (l *Ledger) buckets(k key) [2]int {
	var text [17]byte
	copy(text[:], k.addr[:])
	text[16] = k.bits
	hash := sipHash(l.header.seed, text[:])
	n := uint64(l.geo.buckets)
	return [2]int{int(hash >> 32 * n >> 32), int(hash & (1<<32 - 1) * n >> 32)}
}

func (l *Ledger) records() int       { return int(l.geo.buckets) * ways }
func (l *Ledger) recordAt(i int) int { return l.geo.bucketsAt() + i*recordSize }

func (l *Ledger) record(i int) *client {
	return view[client](l.mem, l.recordAt(i))
}

// change is a record that may be written to: the undo log has it.
func (l *Ledger) change(i int) *client {
	l.save(l.recordAt(i), recordSize)
	return l.record(i)
}

// inUse says whether there is a client in the record.
func (c *client) inUse() bool { return c.used == usedByClient && c.bits <= 128 }

// find is the number of the key's record, or -1.
func (l *Ledger) find(k key) int {
	for _, b := range l.buckets(k) {
		for i := b * ways; i < (b+1)*ways; i++ {
			if c := l.record(i); c.inUse() && c.bits == k.bits && c.addr == k.addr {
				return i
			}
		}
	}
	return -1
}

// claimRecord is the number of the key's record. If there is none, it makes one in place of the
// least important. It returns -1 if all candidates have live sessions or are blocked by hand.
func (t *Tx) claimRecord(k key) int {
	return t.claimRecordAs(k, importance{rank: blockedByHand, age: math.MinInt64})
}

// claimRecordAs is claimRecord for a record of that importance: it replaces nothing that is more
// important.
func (t *Tx) claimRecordAs(k key, as importance) int {
	l := t.l
	if i := l.find(k); i >= 0 {
		return i
	}
	at := t.leastImportant(k, as)
	if at < 0 {
		return -1
	}
	c := l.change(at)
	t.countEvicted(c)
	if !c.inUse() {
		t.state().clients++
	}
	*c = client{addr: k.addr, bits: k.bits, used: usedByClient, epoch: l.header.epoch, seen: t.now}
	return at
}

// leastImportant is the least important record in the key's buckets, or -1 if that is the new one.
func (t *Tx) leastImportant(k key, as importance) int {
	at, least := -1, as
	buckets := t.l.buckets(k)
	for _, b := range buckets {
		free := int64(0)
		for i := b * ways; i < (b+1)*ways; i++ {
			v := t.importance(t.l.record(i))
			if v.rank == empty {
				// Prefer the bucket with more of them: at 90 % full a first fit loses one record in
				// 50, this one in 10,000.
				free++
				v.age = -free
			}
			if v.less(least) {
				at, least = i, v
			}
		}
	}
	if least.rank > expired { // something is lost
		return t.leastOfCrowds(k, buckets, as)
	}
	return at
}

// importance orders records by what is lost with them. Records of the largest crowd go first, and
// within a rank the older.
type importance struct {
	crowd int // how many records the network's crowd has too many, 0 = none; see crowd.go
	rank  int
	age   int64
}

// The ranks, least important first.
const (
	empty         = iota
	expired       // nothing in it can matter any more
	history       // strikes, bad recipients, arrivals, past blocks
	known         // waited once, or a few times within hours
	blocked       // the block that ends soonest goes first
	trusted       // the client that came in fewer hours goes first
	blockedByHand // replaced only by another of this rank
	live          // never replaced
)

func (a importance) less(b importance) bool {
	switch {
	case a.crowd != b.crowd:
		return a.crowd > b.crowd
	case a.rank != b.rank:
		return a.rank < b.rank
	}
	return a.age < b.age
}

func (t *Tx) importance(c *client) importance {
	switch {
	case c.used == usedByWide && t.sessionsOf(c) > 0:
		return importance{rank: live}
	case c.used == usedByWide && c.hasArrivals(t.now):
		return importance{rank: history, age: c.seen}
	case !c.inUse():
		return importance{rank: empty}
	case t.sessionsOf(c) > 0:
		return importance{rank: live}
	case c.blockLeft(t.now) > 0 && c.marks&byHand != 0:
		return importance{rank: blockedByHand, age: c.blockTill}
	case c.blockLeft(t.now) > 0:
		return importance{rank: blocked, age: c.blockTill}
	case c.trusted(t.now):
		const visit = 1 << 48 // more than any ledger time
		return importance{rank: trusted, age: int64(c.visits)*visit + c.knownTill}
	case c.known(t.now):
		return importance{rank: known, age: c.knownTill}
	case t.now-c.seen > strikeMemory.Milliseconds() && c.escalation(t.now, MaxBlock) == 0:
		return importance{rank: expired, age: c.seen}
	}
	return importance{rank: history, age: c.seen}
}

// blockLeft is how long the block still runs, in ms; 0 = there is none.
func (c *client) blockLeft(now int64) int64 {
	if c.blockedAt <= 0 || c.blockedAt > now || c.blockTill <= now ||
		c.blockTill-c.blockedAt > MaxBlock.Milliseconds() {
		return 0
	}
	return c.blockTill - now
}

// escalation is how many earlier blocks lengthen the next: those of which each began within that
// time after the one before.
func (c *client) escalation(now int64, within time.Duration) uint32 {
	if c.blockTill <= 0 || now-c.blockTill > within.Milliseconds() {
		return 0
	}
	return c.blocks
}

func (c *client) known(now int64) bool {
	return now < c.knownTill && c.knownTill-now <= MaxBlock.Milliseconds()
}

// reasonText is the reason of the last strike or block.
func (c *client) reasonText() string { return wordIn(&c.reason) }

// wordIn is the word that setWord has put there.
func wordIn(r *[reasonSize]byte) string {
	n := 0
	for n < len(r) && r[n] > ' ' && r[n] < 0x7f {
		n++
	}
	return string(r[:n])
}

// ReasonWord is a reason as the ledger keeps it, and as the log and on_block get it: one word of
// printable ASCII, cut to 32 bytes.
func ReasonWord(reason string) string {
	var r [reasonSize]byte
	setWord(&r, reason)
	return wordIn(&r)
}

func (c *client) setReason(reason string) { setWord(&c.reason, reason) }

// setWord keeps as much of the reason as fits, as one word of printable ASCII.
func setWord(r *[reasonSize]byte, reason string) {
	*r = [reasonSize]byte{}
	for i := 0; i < len(reason) && i < reasonSize; i++ {
		b := reason[i]
		if b <= ' ' || b >= 0x7f {
			b = '_'
		}
		r[i] = b
	}
}

// copyRecord copies a record of another ledger without its sessions, unless everything that it
// could replace is more important.
func (t *Tx) copyRecord(old client) {
	i := t.claimRecordAs(key{old.addr, old.bits}, t.importance(&old))
	if i < 0 {
		return
	}
	c := t.l.record(i)
	*c = old
	c.epoch, c.sessions, c.first = t.l.header.epoch, 0, 0
}
