package ledger

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"time"
)

// LookupSize is how many bytes of a lookup's result are kept at most.
const LookupSize = 216

// Lookup is what is remembered of what DNS has said about one address. The ledger does not know
// what it means.
type Lookup struct {
	State LookupState
	Data  []byte        // of a result; a copy
	Left  time.Duration // for which the result still holds
}

// LookupState says whether somebody has to ask.
type LookupState uint8

const (
	NotAsked LookupState = iota // or so long ago that it does not count
	Asking                      // a living process asks
	Asked                       // the result is there
)

const (
	longestLookup = 24 * time.Hour   // for which a result holds at most
	lookupLease   = 15 * time.Second // a lookup takes less than a greet delay, usually
)

// Lookup returns what is remembered of an address. of says by which configuration it was asked: a
// result of another one is none.
func (t *Tx) Lookup(addr netip.Addr, of uint64) Lookup {
	i := t.l.findLookup(addr.As16(), of)
	if i < 0 {
		return Lookup{}
	}
	return t.lookup(i)
}

// ClaimLookup says that process p asks about the address. It reports false if another living
// process asks already, or if there is a result. The claim ends by KeepLookup or DropLookup, when p
// has ended, or after 15 seconds. A process that claims what it has claimed already begins that
// time again: it must know itself what it asks.
func (t *Tx) ClaimLookup(addr netip.Addr, of uint64, p Process) (claimed bool) {
	if i := t.l.findLookup(addr.As16(), of); i >= 0 {
		state := t.lookup(i).State
		if state == Asked || state == Asking && !t.l.claimedBy(i, p) {
			return false
		}
	}
	e, c := t.changeLookup(addr.As16(), of)
	e.state, e.till = Asking, t.now+lookupLease.Milliseconds()
	e.pid, e.size = uint32(p.PID), 0
	*c = claim{start: p.Start, epoch: t.l.header.epoch}
	return true
}

// KeepLookup keeps a result for ttl, a day at most, whoever has asked. A result of more than
// LookupSize bytes is not kept, nor is one for less than a millisecond: then it is as if nobody had
// asked.
func (t *Tx) KeepLookup(addr netip.Addr, of uint64, data []byte, ttl time.Duration) {
	ttl = min(ttl, longestLookup)
	if len(data) > LookupSize || ttl < time.Millisecond {
		t.freeLookup(t.l.findLookup(addr.As16(), of))
		return
	}
	e, _ := t.changeLookup(addr.As16(), of)
	e.state, e.till = Asked, t.now+ttl.Milliseconds()
	e.pid, e.size = 0, uint8(len(data))
	e.data = [LookupSize]byte{}
	copy(e.data[:], data)
}

// DropLookup ends the claim of process p without a result.
func (t *Tx) DropLookup(addr netip.Addr, of uint64, p Process) {
	i := t.l.findLookup(addr.As16(), of)
	if i >= 0 && t.l.lookup(i).state == Asking && t.l.claimedBy(i, p) {
		t.freeLookup(i)
	}
}

// PeekLookup is Lookup without the lock, for a process that waits for another's result. A moment in
// which the ledger changes reads as Asking.
func (l *Ledger) PeekLookup(addr netip.Addr, of uint64) Lookup {
	return l.peekLookup(Now(), addr, of)
}

func (l *Ledger) peekLookup(now Moment, addr netip.Addr, of uint64) (found Lookup) {
	boot, wall, whole := now.Boot.Milliseconds(), now.Wall.UnixMilli(), false
	look := func() {
		found = Lookup{}
		if l.header.bootSum == l.bootSum() && !l.rebooted(boot, wall) {
			t := Tx{l: l, now: l.timeAt(now)}
			found = t.Lookup(addr, of)
		}
	}
	if !l.withoutLock(func() { whole = l.undisturbed(peekTries, look) }) {
		return Lookup{}
	}
	if !whole {
		return Lookup{State: Asking}
	}
	return found
}

// CountLookups counts the results that hold, and says for how many there is room. It reads all of
// them and keeps no process waiting.
func (l *Ledger) CountLookups(now Moment) (kept, room int, err error) {
	r, err := l.newReader(now)
	if err != nil {
		return 0, 0, err
	}
	room = l.geo.lookupBuckets() * lookupWays
	for first := 0; first < room; first += lookupWays {
		if err := r.copyAt(l.lookupAt(first), page); err != nil {
			return 0, 0, err
		}
		for i := range lookupWays {
			if e := view[lookup](r.copy, i*lookupSize); e.state == Asked && e.left(r.now) > 0 {
				kept++
			}
		}
	}
	return kept, room, nil
}

// lookup is what entry i says. Any of its bytes may have any value.
func (t *Tx) lookup(i int) Lookup {
	e := t.l.lookup(i)
	left := e.left(t.now)
	switch {
	case left > 0 && e.state == Asked:
		return Lookup{Asked, slices.Clone(e.data[:e.size]), time.Duration(left) * time.Millisecond}
	case left > 0 && t.asks(i):
		return Lookup{State: Asking}
	}
	return Lookup{}
}

// left is for how long a result or a claim still holds, in ms.
func (e *lookup) left(now int64) int64 {
	longest := longestLookup
	switch {
	case e.state == Asking:
		longest = lookupLease
	case e.state != Asked || e.size > LookupSize:
		return 0
	}
	if e.till <= now || e.till-now > longest.Milliseconds() {
		return 0
	}
	return e.till - now
}

// asks says whether the process that has claimed entry i lives.
func (t *Tx) asks(i int) bool {
	e, c := t.l.lookup(i), t.l.claim(i)
	if c.epoch != t.l.header.epoch {
		return false
	}
	s := session{pid: e.pid, start: c.start, checked: e.till - lookupLease.Milliseconds()}
	living := livenessCache{own: t.l.pid, now: t.now, readsLeft: 1}
	return living.alive(&s)
}

// claimedBy says whether process p has claimed entry i, in this boot.
func (l *Ledger) claimedBy(i int, p Process) bool {
	c := l.claim(i)
	return l.lookup(i).pid == uint32(p.PID) && c.start == p.Start && c.epoch == l.header.epoch
}

func (l *Ledger) lookupAt(i int) int { return l.geo.lookupsAt() + i*lookupSize }

func (l *Ledger) lookup(i int) *lookup { return view[lookup](l.mem, l.lookupAt(i)) }

// claim is in the last bytes of entry i.
func (l *Ledger) claim(i int) *claim {
	return view[claim](l.mem, l.lookupAt(i)+lookupSize-LookupSize)
}

// lookupBuckets are the two in which the address's entry may be.
func (l *Ledger) lookupBuckets(addr [16]byte, of uint64) [2]int {
	var text [24]byte
	copy(text[:], addr[:])
	binary.NativeEndian.PutUint64(text[16:], of)
	hash := sipHash(l.header.seed, text[:])
	n := uint64(l.geo.lookupBuckets())
	return [2]int{int(hash >> 32 * n >> 32), int(hash & (1<<32 - 1) * n >> 32)}
}

// findLookup is the number of the address's entry, or -1.
func (l *Ledger) findLookup(addr [16]byte, of uint64) int {
	for _, b := range l.lookupBuckets(addr, of) {
		for i := b * lookupWays; i < (b+1)*lookupWays; i++ {
			if e := l.lookup(i); e.state != NotAsked && e.addr == addr && e.of == of {
				return i
			}
		}
	}
	return -1
}

// changeLookup is the address's entry, or a new one in place of the least important. It may be
// written to.
func (t *Tx) changeLookup(addr [16]byte, of uint64) (*lookup, *claim) {
	l := t.l
	i := l.findLookup(addr, of)
	if i < 0 {
		i = t.leastLookup(addr, of)
	}
	l.save(l.lookupAt(i), lookupSize)
	e := l.lookup(i)
	e.addr, e.of = addr, of
	return e, l.claim(i)
}

// leastLookup is the entry in the address's buckets that holds for the shortest time. Who asks
// stays as long as there are others.
func (t *Tx) leastLookup(addr [16]byte, of uint64) int {
	at, least := -1, int64(0)
	for _, b := range t.l.lookupBuckets(addr, of) {
		free := int64(0)
		for i := b * lookupWays; i < (b+1)*lookupWays; i++ {
			e := t.l.lookup(i)
			worth := e.left(t.now)
			switch {
			case worth == 0:
				// Prefer the bucket with more of them, as for clients.
				free++
				worth = -free
			case e.state == Asking:
				worth += longestLookup.Milliseconds()
			}
			if at < 0 || worth < least {
				at, least = i, worth
			}
		}
	}
	return at
}

// freeLookup removes entry i; -1 = there is none.
func (t *Tx) freeLookup(i int) {
	if i < 0 {
		return
	}
	t.l.save(t.l.lookupAt(i), lookupSize)
	*t.l.lookup(i) = lookup{}
}

// copyLookups copies what another ledger still remembers.
func (t *Tx) copyLookups(from *Tx) {
	for i := range from.l.geo.lookupBuckets() * lookupWays {
		e := from.l.lookup(i)
		if from.lookup(i).State == NotAsked {
			continue
		}
		at := t.l.findLookup(e.addr, e.of)
		if at < 0 {
			at = t.leastLookup(e.addr, e.of)
		}
		*t.l.lookup(at) = *e
	}
}
