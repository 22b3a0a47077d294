package ledger

import (
	"math/bits"
	"time"
)

func (l *Ledger) slotAt(i int) int { return l.geo.slotsAt() + i*slotSize }

func (l *Ledger) slot(i int) *session {
	return view[session](l.mem, l.slotAt(i))
}

// changeSlot is a slot that may be written to: the undo log has it.
func (l *Ledger) changeSlot(i int) *session {
	l.save(l.slotAt(i), slotSize)
	return l.slot(i)
}

// setInUse sets or clears the slot's bit.
func (l *Ledger) setInUse(i int, inUse bool) {
	w := i / wordBits
	l.save(bitmapAt+w*8, 8)
	if inUse {
		l.bitmap[w] |= 1 << (i % wordBits)
	} else {
		l.bitmap[w] &^= 1 << (i % wordBits)
	}
}

// inUse says whether the slot's bit is set.
func (l *Ledger) inUse(i int) bool { return l.bitmap[i/wordBits]>>(i%wordBits)&1 == 1 }

// liveSlots calls yield with the number of each slot in use.
func (l *Ledger) liveSlots() func(yield func(int) bool) {
	return func(yield func(int) bool) {
		for w, word := range l.bitmap {
			for ; word != 0; word &= word - 1 {
				if !yield(w*wordBits + bits.TrailingZeros64(word)) {
					return
				}
			}
		}
	}
}

// freeSlot is the lowest free slot, so that those in use stay close together; -1 = there is none.
func (l *Ledger) freeSlot() int {
	for w, word := range l.bitmap {
		if word != ^uint64(0) {
			return w*wordBits + bits.TrailingZeros64(^word)
		}
	}
	return -1
}

// sessionsOf is how many sessions the record says it has.
func (t *Tx) sessionsOf(c *client) uint32 {
	if c.epoch != t.l.header.epoch {
		return 0
	}
	return c.sessions
}

// openSession takes a slot for a waiting session and links it to the client's record (-1 = none).
func (t *Tx) openSession(record int, a Arrival, p Process) (Session, bool) {
	l := t.l
	i := l.freeSlot()
	if i < 0 {
		return Session{}, false
	}
	s := l.changeSlot(i)
	*s = session{
		state: slotWaiting, since: t.now, delay: delayOf(a.Delay),
		addr: a.Client.Addr().As16(), port: a.Client.Port(),
	}
	s.setProcess(p, t.now)
	l.setInUse(i, true)
	t.state().waiting++
	t.link(i, record)
	return t.token(i), true
}

func (s *session) setProcess(p Process, now int64) {
	s.pid, s.start, s.checked = uint32(p.PID), p.Start, now
	s.flags &^= inRoom
	if p.Shared {
		s.flags |= inRoom
	}
}

// process is the process as long as which the session lives.
func (s *session) process() Process {
	return Process{PID: int(s.pid), Start: s.start, Shared: s.shared()}
}

// shared says whether its process holds many sessions.
func (s *session) shared() bool { return s.flags&inRoom != 0 }

// delayOf is the delay in the form of a slot: in ms, rounded up so that a short one does not become
// none.
func delayOf(d time.Duration) uint32 {
	d = max(0, min(d, longestWait))
	return uint32((d + time.Millisecond - 1) / time.Millisecond)
}

// left is how long the session still has to wait, 0 if unknown.
func (s *session) left(now int64) time.Duration {
	delay, waited := int64(s.delay), now-s.since
	if s.state != slotWaiting || delay > longestWait.Milliseconds() ||
		waited < 0 || waited >= delay {
		return 0
	}
	return time.Duration(delay-waited) * time.Millisecond
}

// link puts the slot first in the list of the client's sessions.
func (t *Tx) link(i, record int) {
	if record < 0 {
		return
	}
	l := t.l
	s, c := l.slot(i), l.change(record)
	if c.epoch != l.header.epoch {
		c.epoch, c.sessions, c.first = l.header.epoch, 0, 0
	}
	if n := int(c.first) - 1; t.ownedBy(n, record) {
		l.changeSlot(n).prev = uint32(i) + 1
		s.next = c.first
	}
	s.client = uint32(record) + 1
	c.first = uint32(i) + 1
	c.sessions++
}

// ownedBy says whether slot i is in use by a session of the client: links come from a file and are
// believed only if both ends agree.
func (t *Tx) ownedBy(i, record int) bool {
	if i < 0 || i >= int(t.l.geo.slots) {
		return false
	}
	s := t.l.slot(i)
	return s.state != slotFree && s.client == uint32(record)+1
}

// free ends the session in slot i.
func (t *Tx) free(i int) {
	l := t.l
	s := l.changeSlot(i)
	record := int(s.client) - 1
	if record >= 0 && record < l.records() {
		t.unlink(s, i, record)
	}
	if n := t.counter(s); *n > 0 {
		*n--
	}
	t.leaveWide(s)
	*s = session{}
	l.setInUse(i, false)
}

// unlink takes the slot out of the list of the client's sessions.
func (t *Tx) unlink(s *session, i, record int) {
	l := t.l
	c := l.change(record)
	if c.epoch != l.header.epoch {
		return
	}
	if n := int(s.next) - 1; t.ownedBy(n, record) {
		l.changeSlot(n).prev = s.prev
	}
	if p := int(s.prev) - 1; t.ownedBy(p, record) {
		l.changeSlot(p).next = s.next
	} else if c.first == uint32(i)+1 {
		c.first = s.next
	}
	if c.sessions > 0 {
		c.sessions--
	}
}

// counter is the total that includes the session.
func (t *Tx) counter(s *session) *uint32 {
	if s.state == slotServing {
		return &t.state().serving
	}
	return &t.state().waiting
}

// copySession copies the session in slot i of another ledger, after its client. It goes to the slot
// of the same number if there is one, so that its token stays valid. Sessions must be copied in the
// order of their slots: then none of the others has taken that slot before.
func (t *Tx) copySession(from *Ledger, i int) {
	l, old := t.l, from.slot(i)
	if i >= int(l.geo.slots) {
		i = l.freeSlot()
	}
	if i < 0 {
		return
	}
	s := l.changeSlot(i)
	*s = *old
	s.client, s.next, s.prev = 0, 0, 0
	l.setInUse(i, true)
	*t.counter(s)++
	t.countWideAgain(i)
	if r := int(old.client) - 1; r >= 0 && r < from.records() {
		c := from.record(r)
		t.link(i, t.claimRecord(key{c.addr, c.bits})) // a smaller ledger may have lost the client
	}
}
