package ledger

import (
	"math"
	"net/netip"
)

// WideBits is the length of the wider network by which sessions of IPv6 clients can also be
// counted: a customer gets a /48, which is 65,536 networks.
const WideBits = 48

// Wide is how many live sessions there are in a wider network, and how many of them have an MTA.
//
// They are counted in a record of their own, which used tells from the records of clients. A block
// of that network has another record. The counting record exists as long as the sessions do, and
// ends with the boot.
type Wide struct{ Conns, Served int }

// wideKey is the key of the wider network around an address.
func wideKey(addr [16]byte) key { return key{addr, 128}.widened(WideBits) }

// wideOf counts the sessions of the client's wider network.
func (t *Tx) wideOf(client netip.Addr) Wide {
	i := t.l.findWide(wideKey(client.As16()))
	if i < 0 {
		return Wide{}
	}
	w := t.l.record(i)
	return Wide{int(w.sessions), int(w.first)}
}

// findWide is the number of the record that counts the wider network, or -1.
func (l *Ledger) findWide(k key) int {
	for _, b := range l.buckets(k) {
		for i := b * ways; i < (b+1)*ways; i++ {
			w := l.record(i)
			if w.used == usedByWide && w.epoch == l.header.epoch &&
				w.bits == k.bits && w.addr == k.addr {
				return i
			}
		}
	}
	return -1
}

// countWide counts the session in slot i, which may be written to, in its wider network. It does
// not if the record for that would replace something more important than a client that has waited
// once.
func (t *Tx) countWide(i int) {
	l, s := t.l, t.l.slot(i)
	k := wideKey(s.addr)
	at := l.findWide(k)
	if at < 0 {
		if at = t.leastImportant(k, importance{rank: known, age: math.MaxInt64}); at < 0 {
			return
		}
		c := l.change(at)
		if st := t.state(); c.inUse() && st.clients > 0 {
			st.clients--
		}
		*c = client{addr: k.addr, bits: k.bits, used: usedByWide, epoch: l.header.epoch}
	}
	w := l.change(at)
	w.sessions++
	if s.state == slotServing {
		w.first++
	}
	s.flags |= inWide
}

// changeWide is the record that counts the session in its wider network, and may be written to; nil
// if there is none.
func (t *Tx) changeWide(s *session) *client {
	if s.flags&inWide == 0 {
		return nil
	}
	i := t.l.findWide(wideKey(s.addr))
	if i < 0 {
		return nil
	}
	return t.l.change(i)
}

// serveWide notes that the session is being served.
func (t *Tx) serveWide(s *session) {
	if w := t.changeWide(s); w != nil {
		w.first++
	}
}

// leaveWide takes the session out of the count, and removes the record with the last session.
func (t *Tx) leaveWide(s *session) {
	w := t.changeWide(s)
	if w == nil {
		return
	}
	if s.state == slotServing && w.first > 0 {
		w.first--
	}
	if w.sessions--; w.sessions == 0 || w.sessions == math.MaxUint32 {
		*w = client{}
	}
}

// recountWide counts the sessions of a wider network again; -1 = there is none. It is for a count
// that may have reached a limit, since the file may say anything.
func (t *Tx) recountWide(record int) {
	if record < 0 {
		return
	}
	w := t.l.record(record)
	if w.used != usedByWide { // it went with its last session
		return
	}
	var n, serving uint32
	for i := range t.l.liveSlots() {
		if s := t.l.slot(i); s.flags&inWide != 0 && wideKey(s.addr).addr == w.addr {
			n++
			if s.state == slotServing {
				serving++
			}
		}
	}
	switch {
	case n == 0:
		*t.l.change(record) = client{}
	case w.sessions != n || w.first != serving:
		w = t.l.change(record)
		w.sessions, w.first = n, serving
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
