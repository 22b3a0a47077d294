package ledger

import (
	"net/netip"
	"time"
)

// MaxBlock is the longest block the ledger believes in; a record that says more is garbage.
const MaxBlock = 31 * 24 * time.Hour

// strikeMemory is how long a strike can matter to any configuration (block within=), or a bad recipient.
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
func (c *client) inUse() bool { return c.used == 1 && c.bits <= 128 }

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
// one where there is none yet. It is -1 if all the candidates have live sessions.
func (t *Tx) place(k key) int {
	l := t.l
	if i := l.find(k); i >= 0 {
		return i
	}
	at, _ := t.least(k)
	if at < 0 {
		return -1
	}
	c := l.change(at)
	if !c.inUse() {
		t.state().clients++
	}
	*c = client{addr: k.addr, bits: k.bits, used: 1, epoch: l.header.epoch, seen: t.now}
	return at
}

// least is the least important record in the key's buckets; at is -1 if all are live.
func (t *Tx) least(k key) (at int, least importance) {
	at, least = -1, importance{live, 0}
	for _, b := range t.l.buckets(k) {
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
	return at, least
}

// importance orders records by what is lost with them. Within a rank the older goes first.
type importance struct {
	rank int
	age  int64
}

// The ranks, least important first.
const (
	empty   = iota
	expired // nothing in it can matter any more
	history // strikes, bad recipients, arrivals, blocks gone by
	known
	blocked // the one that ends soonest goes first
	live    // never goes
)

func (a importance) less(b importance) bool {
	return a.rank < b.rank || a.rank == b.rank && a.age < b.age
}

func (t *Tx) importance(c *client) importance {
	switch {
	case !c.inUse():
		return importance{empty, 0}
	case t.sessionsOf(c) > 0:
		return importance{live, 0}
	case c.blockLeft(t.now) > 0:
		return importance{blocked, c.blockTill}
	case c.known(t.now):
		return importance{known, c.knownTill}
	case t.now-c.seen > strikeMemory.Milliseconds() && c.escalation(t.now, MaxBlock) == 0:
		return importance{expired, c.seen}
	}
	return importance{history, c.seen}
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

// strikesWithin counts the strikes of the last d.
func (c *client) strikesWithin(now int64, d time.Duration) int {
	n := 0
	for _, at := range c.strikes {
		if at > 0 && at <= now && now-at < d.Milliseconds() {
			n++
		}
	}
	return n
}

// badWithin is how many bad recipients there were within the time.
func (c *client) badWithin(now int64, per time.Duration) int {
	w := c.bad
	w.advance(now, badPer(per))
	return w.count()
}

// badPer keeps the time of a window to what the ledger can count.
func badPer(per time.Duration) time.Duration {
	return max(time.Millisecond, min(per, strikeMemory))
}

// why is the reason of the last strike or block.
func (c *client) why() string {
	n := 0
	for n < len(c.reason) && c.reason[n] > ' ' && c.reason[n] < 0x7f {
		n++
	}
	return string(c.reason[:n])
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

// adopt copies a record of another ledger, less its sessions, unless whatever it
// could take the place of matters more.
func (t *Tx) adopt(old *client) {
	k := key{old.addr, old.bits}
	if at, least := t.least(k); t.l.find(k) < 0 && (at < 0 || t.importance(old).less(least)) {
		return
	}
	c := t.l.record(t.place(k))
	*c = *old
	c.epoch, c.sessions, c.first = t.l.header.epoch, 0, 0
}
