package ledger

import (
	"sync/atomic"
	"time"
)

// Reading the whole ledger
//
// A process that reads the whole ledger (status, blocks, Trim) must not slow down those that work
// on it. So it copies a page at a time without the lock. A copy is good if no process held the lock
// when the copy began, and none took it until the copy was done: undo.holder says both. Otherwise
// it copies again, and takes the lock only after many tries.

// reader reads many pages. What it has seen is not a picture of one moment.
type reader struct {
	l    *Ledger
	now  int64   // ledger time of the last copy
	copy mapping // the last copy

	stale bool // the sessions are those of an earlier boot
	tries int  // for each copy
}

// newReader begins with one short operation, which sets the clock and undoes what a killed process
// has left half done.
func (l *Ledger) newReader(now Moment) (*reader, error) {
	r := &reader{l: l, copy: make(mapping, 2*page), tries: readTries}
	if l != nil && l.readOnly {
		return r, r.beginUnlocked(now)
	}
	return r, l.Do(now, func(t *Tx) { r.now = t.now })
}

// beginUnlocked reads the clock, which nobody sets. Since the machine has booted there may have
// been no operation: then there are no sessions.
func (r *reader) beginUnlocked(now Moment) error {
	l := r.l
	boot, wall := now.Boot.Milliseconds(), now.Wall.UnixMilli()
	if !l.withoutLock(func() {
		r.now = l.state.lastTick
		if r.stale = l.header.bootSum != l.bootSum() || l.rebooted(boot, wall); !r.stale {
			r.now = l.timeAt(now)
		}
	}) {
		return ErrLost
	}
	return nil
}

// How often a copy is tried that other processes disturb. A reader takes the lock afterwards.
const readTries, peekTries = 64, 2

// Peek is [Tx.Look] without the lock, for a caller that did not get it, or need not queue for it.
// It changes nothing, so dead sessions still count. It reports false if no process has used the
// ledger since the machine was booted.
//
// The client is Blocked only if no process worked on the ledger meanwhile, so that no client is
// refused because of a half-written record or a block that has ended. Peek then sees everything
// that was done before it was called. All other fields may be half of what another process is
// writing.
func (l *Ledger) Peek(now Moment, a Arrival) (s Standing, ok bool) {
	boot, wall, whole := now.Boot.Milliseconds(), now.Wall.UnixMilli(), false
	look := func() {
		if ok = l.header.bootSum == l.bootSum() && !l.rebooted(boot, wall); ok {
			t := Tx{l: l, now: l.timeAt(now)}
			s = t.standing(a)
		}
	}
	if !l.withoutLock(func() {
		if whole = l.undisturbed(peekTries, look); !whole {
			look()
		}
	}) {
		return Standing{}, false
	}
	s.Blocked = s.Blocked && whole
	return s, ok
}

// undisturbed runs work, which only reads, until it has run while the lock was free. It gives up
// after that number of tries: each operation of another process spoils one at most.
func (l *Ledger) undisturbed(tries int, work func()) bool {
	var fence atomic.Uint32
	for n := range tries {
		if n > 0 {
			time.Sleep(shortestPause)
		}
		if holder := l.undo.holder.Load(); holder&pidMask == 0 {
			work()
			fence.Add(1) // no processor delays the reads of work until after the next line
			if l.undo.holder.Load() == holder {
				return true
			}
		}
	}
	return false
}

// read runs work, which only reads, while nobody works on the ledger. If the tries do not find such
// a moment it takes the lock. A process that cannot take it runs work all the same: alone is false,
// since work may have seen half of what another process was writing.
func (l *Ledger) read(tries int, work func()) (alone bool, err error) {
	if !l.withoutLock(func() { alone = l.undisturbed(tries, work) }) {
		return false, ErrLost
	}
	if alone {
		return true, nil
	}
	if !l.readOnly {
		return true, l.locked(nil, func(*Tx) { work() })
	}
	if !l.withoutLock(work) {
		err = ErrLost
	}
	return false, err
}

// copyAt copies size bytes from that place, two pages at most.
func (r *reader) copyAt(at, size int) error {
	copyNow := func() {
		copy(r.copy, r.l.mem[at:at+size])
		r.now = max(r.now, r.l.state.lastTick) // so that nothing in the copy is of the future
	}
	alone, err := r.l.read(r.tries, copyNow)
	if !alone { // a process was killed in the middle of its work, or others work all the time
		r.tries = 1
	}
	return err
}

// records calls look with a copy of each record in use, and its number.
func (r *reader) records(look func(i int, c *client)) error {
	for first := 0; first < r.l.records(); first += ways {
		if err := r.copyAt(r.l.recordAt(first), page); err != nil {
			return err
		}
		for i := range ways {
			if c := view[client](r.copy, i*recordSize); c.inUse() {
				look(first+i, c)
			}
		}
	}
	return nil
}

// sessions calls look with a copy of each session whose process lives. It frees none.
func (r *reader) sessions(look func(s *session)) error {
	if r.stale {
		return nil
	}
	living := livenessCache{own: r.l.pid, now: r.now, readsLeft: int(r.l.geo.slots),
		recheckRooms: true}
	for first := 0; first < int(r.l.geo.slots); first += wordBits { // their slots fill a page
		if err := r.copyAt(bitmapAt+first/8, 8); err != nil {
			return err
		}
		if *view[uint64](r.copy, 0) == 0 {
			continue
		}
		if err := r.copyAt(r.l.slotAt(first), page); err != nil {
			return err
		}
		for i := range wordBits {
			if s := view[session](r.copy, i*slotSize); s.state != slotFree && living.alive(s) {
				look(s)
			}
		}
	}
	return nil
}

// clocks are those of the last operation, if the first page was copied last.
func (r *reader) clocks() (tick, wall int64) {
	s := view[state](r.copy, stateAt)
	return s.lastTick, s.lastWall
}

// Report returns what the ledger has counted, and all live sessions, in no order. It frees no
// session and keeps no process waiting.
func (l *Ledger) Report(now Moment) (n Totals, live []LiveSession, err error) {
	r, err := l.newReader(now)
	if err != nil {
		return Totals{}, nil, err
	}
	if err = r.copyAt(0, page); err != nil {
		return Totals{}, nil, err
	}
	n = l.totalsOf(view[state](r.copy, stateAt))
	n.Waiting, n.Serving = 0, 0
	tick, wall := r.clocks()
	early := *view[totals](r.copy, totalsAt)
	if err = r.copyAt(lateAt, lateRoom); err != nil {
		return Totals{}, nil, err
	}
	n.count(&early, view[late](r.copy, 0), view[unlocked](r.copy, unlockedAt-lateAt))
	n.addObserved(view[observed](r.copy, observedAt-lateAt))
	n.addPast(view[past](r.copy, pastAt-lateAt), r.now, tick, wall)
	err = r.sessions(func(s *session) {
		live = append(live, s.live(r.now))
		if s.state == slotServing || s.overdue(r.now) {
			n.Serving++
		} else {
			n.Waiting++
		}
	})
	return n, live, err
}
