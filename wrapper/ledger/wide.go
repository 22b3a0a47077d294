package ledger

import (
	"math"
	"net/netip"
	"time"
)

// Wide networks
//
// The sessions and arrivals of a wide network are counted in a record of its own, which used tells
// from the records of clients: sessions and first are how many live sessions there are and how many
// of them are served, rate is of all arrivals, and till knownTill a count of sessions is believed
// that has reached a limit. Strikes and blocks of that network have another record, which is like
// that of any client.
//
// A session notes by which networks it is counted, whatever Arrivals say later. So it leaves
// exactly these, whether its process says so or is found dead.

// WideBits is the length of the wide network by which sessions of IPv6 clients are counted for the
// time when places are scarce: a customer gets a /48, which is 65,536 networks.
const WideBits = 48

// MaxWide is by how many other wide networks an arrival can be counted.
const MaxWide = 2

// Wide is how many live sessions there are in a wide network, and how many of them have an MTA.
type Wide struct{ Conns, Served int }

// WideLimits are the limits of a wide network; 0 = there is no such limit.
type WideLimits struct {
	Network netip.Prefix // that contains the client
	Conns   int          // its live sessions
	Rate    int          // its arrivals in any
	Per     time.Duration
}

// WideCount is what a wide network has. What has no limit is not counted.
type WideCount struct {
	Conns    int32 // live sessions
	Arrivals int32 // within WideLimits.Per, this one not counted
}

// wideLimits are the n-th of them; nil if there is nothing to count for them.
func (a *Arrival) wideLimits(n int) *WideLimits {
	if a.WideLimits == nil {
		return nil
	}
	if w := &a.WideLimits[n]; w.Conns > 0 || w.Rate > 0 {
		return w
	}
	return nil
}

// wideKey is the key of the wide network around an address.
func wideKey(addr [16]byte) key { return key{addr, 128}.widened(WideBits) }

// wideOf counts the sessions of the client's wide network.
func (t *Tx) wideOf(client netip.Addr) Wide {
	i := t.l.findWide(wideKey(client.As16()))
	if i < 0 || t.sessionsOf(t.l.record(i)) == 0 {
		return Wide{}
	}
	w := t.l.record(i)
	return Wide{int(w.sessions), int(w.first)}
}

// wideCount is what the network has by what the ledger says.
func (t *Tx) wideCount(limits *WideLimits) (n WideCount) {
	i := t.l.findWide(keyOf(limits.Network))
	if i < 0 {
		return n
	}
	w := t.l.record(i)
	n.Conns = int32(min(t.sessionsOf(w), math.MaxInt32))
	if limits.Rate > 0 {
		rate := w.rate
		rate.advance(t.now, limits.Per)
		n.Arrivals = int32(rate.count())
	}
	return n
}

// findWide is the number of the record that counts the wide network, or -1.
func (l *Ledger) findWide(k key) int {
	for _, b := range l.buckets(k) {
		for i := b * ways; i < (b+1)*ways; i++ {
			if w := l.record(i); w.used == usedByWide && w.bits == k.bits && w.addr == k.addr {
				return i
			}
		}
	}
	return -1
}

// hasArrivals says whether arrivals that the record has counted may matter.
func (c *client) hasArrivals(now int64) bool {
	return c.rate != window[uint16]{} && c.seen <= now &&
		now-c.seen <= strikeMemory.Milliseconds()
}

// claimWide is the number of the record that counts the wide network, as claimRecordAs has it for
// clients. It may be written to.
func (t *Tx) claimWide(k key, as importance) int {
	l := t.l
	at := l.findWide(k)
	if at < 0 {
		if at = t.leastImportant(k, as); at < 0 {
			return -1
		}
		c := l.change(at)
		t.countEvicted(c)
		if st := t.state(); c.inUse() && st.clients > 0 {
			st.clients--
		}
		*c = client{addr: k.addr, bits: k.bits, used: usedByWide, epoch: l.header.epoch}
		return at
	}
	if w := l.change(at); w.epoch != l.header.epoch {
		w.epoch, w.sessions, w.first = l.header.epoch, 0, 0
	}
	return at
}

// enterWide counts the new session in slot i, and the arrival, in the wide networks around it. For
// WideBits alone it does not if the record for that would replace something more important than a
// client that has waited once, for limits not if that were a trusted client: a botnet that waits in
// as many wide networks as it has addresses would have all of those forgotten. A client whose
// limits do not count it is counted as trouble.
func (t *Tx) enterWide(i int, a Arrival, arrives bool) {
	for n := range MaxWide {
		limits := a.wideLimits(n)
		if limits == nil {
			continue
		}
		k, counts := keyOf(limits.Network), arrives && limits.Rate > 0
		flag, at := t.widthFlag(k.bits), -1
		if flag != 0 || counts {
			at = t.claimWide(k, importance{rank: trusted, age: math.MinInt64})
		}
		if at < 0 || flag == 0 && limits.Conns > 0 {
			t.wideUncounted = true
		}
		if at < 0 {
			continue
		}
		w := t.l.record(at)
		w.seen = t.now
		if counts {
			w.rate.advance(t.now, limits.Per)
			w.rate.add(1)
		}
		t.countWide(i, w, flag)
	}
	if t.wideUncounted {
		t.l.unlocked.troubles[WideUncounted].Add(1)
	}
	if k := wideKey(t.l.slot(i).addr); a.Wide && t.flagOf(t.l.slot(i), WideBits) == 0 {
		if at := t.claimWide(k, importance{rank: known, age: math.MaxInt64}); at >= 0 {
			t.countWide(i, t.l.record(at), inWide)
		}
	}
}

// countWide counts the session in slot i. Both that and the record may be written to.
func (t *Tx) countWide(i int, w *client, flag uint8) {
	if flag == 0 {
		return
	}
	s := t.l.slot(i)
	s.flags |= flag
	w.sessions++
	if s.state == slotServing {
		w.first++
	}
}

// countWideAgain is enterWide for a session of another ledger, whose state.widths are ours.
func (t *Tx) countWideAgain(i int) {
	s := t.l.slot(i)
	flags := s.flags
	s.flags &= inRoom
	for n := range widths {
		flag, bits := t.width(flags, n)
		if flag == 0 {
			continue
		}
		as := importance{rank: trusted, age: math.MinInt64}
		if flag == inWide {
			as = importance{rank: known, age: math.MaxInt64}
		}
		if at := t.claimWide(key{s.addr, 128}.widened(bits), as); at >= 0 {
			t.countWide(i, t.l.record(at), flag)
		}
	}
}

// findCount is the record of the n-th wide network that counts the session, or -1.
func (t *Tx) findCount(s *session, n int) int {
	flag, bits := t.width(s.flags, n)
	if flag == 0 {
		return -1
	}
	i := t.l.findWide(key{s.addr, 128}.widened(bits))
	if i >= 0 && t.sessionsOf(t.l.record(i)) == 0 {
		return -1
	}
	return i
}

// serveWide notes that the session is being served.
func (t *Tx) serveWide(s *session) {
	for n := range widths {
		if i := t.findCount(s, n); i >= 0 {
			t.l.change(i).first++
		}
	}
}

// leaveWide takes the session out of the counts, and removes a record with the last session, unless
// it has arrivals.
func (t *Tx) leaveWide(s *session) {
	for n := range widths {
		i := t.findCount(s, n)
		if i < 0 {
			continue
		}
		w := t.l.change(i)
		if s.state == slotServing && w.first > 0 {
			w.first--
		}
		if w.sessions--; w.sessions == 0 {
			w.first = 0
			t.dropWide(w)
		}
	}
}

// dropWide removes a record without sessions, which may be written to, unless it has arrivals.
func (t *Tx) dropWide(w *client) {
	if !w.hasArrivals(t.now) {
		*w = client{}
	}
}

// copyWide copies the arrivals of a wide network from another ledger.
func (t *Tx) copyWide(old client) {
	at := t.claimWide(key{old.addr, old.bits}, t.importance(&old))
	if at >= 0 {
		w := t.l.record(at)
		w.rate, w.seen = old.rate, old.seen
	}
}

// servedOf is how many sessions of the client have an MTA. Of a client with more than manySessions
// it may be too few.
func (t *Tx) servedOf(record int) (n int) {
	if t.sessionsOf(t.l.record(record)) == 0 {
		return 0
	}
	before := uint32(0)
	i := int(t.l.record(record).first) - 1
	for range manySessions {
		if !t.ownedBy(i, record) || t.l.slot(i).prev != before {
			break
		}
		s := t.l.slot(i)
		if s.state == slotServing {
			n++
		}
		before, i = uint32(i)+1, int(s.next)-1
	}
	return n
}
