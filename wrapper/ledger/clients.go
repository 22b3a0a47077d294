package ledger

import (
	"math"
	"net/netip"
	"time"
)

// MaxBlock is the longest block the ledger believes in; a record that says more is garbage.
const MaxBlock = 31 * 24 * time.Hour

// What a record says of its network, in marks.
const (
	byHand    uint8 = 1 << iota // its block is an administrator's
	delivered                   // a message of its clients was accepted
	byProgram                   // its block is one of [Tx.BlockForProgram]'s
	leaver                      // it became known for its hangups; see [Tx.RememberLeaver]
)

// strikeMemory is how long a strike can matter to any configuration (block within=), or a bad
// recipient.
const strikeMemory = 24 * time.Hour

// key is a network as records name it: the IPv6 form of its address, and its bits.
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

// is4 says whether the key is of IPv4.
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

// buckets are the two in which the key's record may lie.
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

// place is the number of the key's record, which takes the place of the least important
// one where there is none yet. It is -1 if all the candidates have live sessions or blocks by hand.
func (t *Tx) place(k key) int {
	return t.placeOf(k, importance{rank: blockedByHand, age: math.MinInt64})
}

// placeOf is place for one that is so important itself: nothing that is more so goes for it.
func (t *Tx) placeOf(k key, as importance) int {
	l := t.l
	if i := l.find(k); i >= 0 {
		return i
	}
	at := t.least(k, as)
	if at < 0 {
		return -1
	}
	c := l.change(at)
	if !c.inUse() {
		t.state().clients++
	}
	*c = client{addr: k.addr, bits: k.bits, used: usedByClient, epoch: l.header.epoch, seen: t.now}
	return at
}

// least is the least important record in the key's buckets, or -1 if that is the newcomer.
func (t *Tx) least(k key, as importance) int {
	at, least := -1, as
	buckets := t.l.buckets(k)
	for _, b := range buckets {
		free := int64(0)
		for i := b * ways; i < (b+1)*ways; i++ {
			v := t.importance(t.l.record(i))
			if v.rank == empty { // the bucket with more of them: at 90 % full a first fit loses one in 50, this one in 10,000
				free++
				v.age = -free
			}
			if v.less(least) {
				at, least = i, v
			}
		}
	}
	if least.rank > expired { // something is lost
		return t.leastOfCrowd(k, buckets, as)
	}
	return at
}

// importance orders records by what is lost with them. The largest crowd's go first, and within a
// rank the older.
type importance struct {
	crowd int // by how many records it has too much, 0 = there is none; see crowd.go
	rank  int
	age   int64
}

// The ranks, least important first.
const (
	empty         = iota
	expired       // nothing in it can matter any more
	history       // strikes, bad recipients, arrivals, blocks gone by
	known         // waited once, or a few times within hours
	blocked       // the one that ends soonest goes first
	trusted       // the one that came in fewer hours goes first
	blockedByHand // goes for others of its kind only
	live          // never goes
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
	if c.blockedAt <= 0 || c.blockedAt > now || c.blockTill <= now || c.blockTill-c.blockedAt > MaxBlock.Milliseconds() {
		return 0
	}
	return c.blockTill - now
}

// escalation is how many blocks count for the length of the next: those that
// came each within that time after the one before.
func (c *client) escalation(now int64, within time.Duration) uint32 {
	if c.blockTill <= 0 || now-c.blockTill > within.Milliseconds() {
		return 0
	}
	return c.blocks
}

func (c *client) known(now int64) bool {
	return now < c.knownTill && c.knownTill-now <= MaxBlock.Milliseconds()
}

// why is the reason of the last strike or block.
func (c *client) why() string {
	n := 0
	for n < len(c.reason) && c.reason[n] > ' ' && c.reason[n] < 0x7f {
		n++
	}
	return string(c.reason[:n])
}

// ReasonWord is a reason as the ledger keeps it, and as the log and on_block get it: one word of
// printable ASCII, cut to 32 bytes.
func ReasonWord(reason string) string {
	var c client
	c.setReason(reason)
	return c.why()
}

// setReason keeps what fits of the reason, as one word of printable ASCII.
func (c *client) setReason(reason string) {
	c.reason = [reasonSize]byte{}
	for i := 0; i < len(reason) && i < reasonSize; i++ {
		b := reason[i]
		if b <= ' ' || b >= 0x7f {
			b = '_'
		}
		c.reason[i] = b
	}
}

// adopt takes over a record of another ledger, less its sessions, unless whatever it
// could take the place of matters more.
func (t *Tx) adopt(old client) {
	i := t.placeOf(key{old.addr, old.bits}, t.importance(&old))
	if i < 0 {
		return
	}
	c := t.l.record(i)
	*c = old
	c.epoch, c.sessions, c.first = t.l.header.epoch, 0, 0
}
