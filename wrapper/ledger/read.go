package ledger

import (
	"sync/atomic"
	"time"
)

// Reading the whole ledger
//
// A process that reads the whole ledger (status, blocks, Trim) must not slow down those that work
// on it. So a reader copies a page at a time without the lock. The copy is good if no process had
// the lock when it began, and none has taken it until it was done: the turn says both. Otherwise it
// copies again, and takes the lock only if that has failed many times.

// reader is a look at many pages. What it has seen is not one moment's picture.
type reader struct {
	l    *Ledger
	now  int64   // ledger time of the last look
	copy mapping // what was looked at last
}

// reading begins a look: one short piece of work, which sets the clock and undoes what a killed
// process left half done.
func (l *Ledger) reading(now Moment) (*reader, error) {
	r := &reader{l: l, copy: make(mapping, totalsSize)}
	return r, l.Do(now, func(t *Tx) { r.now = t.now })
}

// How often a look is taken that others' work falls into. One that only peeks can take the lock.
const readTries, peekTries = 64, 2

// Peek is [Tx.Look] without the lock, for a caller that has not got it, or need not queue for it.
// It changes nothing, so dead sessions still count. It reports false if no process has used the
// ledger since the machine was booted.
//
// The client is Blocked only if no process worked on the ledger meanwhile, so that a refusal is
// never for half of another's work, nor for a block that has ended: what Peek then sees is all that
// was done before it was called. Of all else it may see half of what another writes at that very
// moment.
func (l *Ledger) Peek(now Moment, a Arrival) (s Standing, ok bool) {
	boot, wall, whole := now.Boot.Milliseconds(), now.Wall.UnixMilli(), false
	look := func() {
		if ok = l.header.bootSum == l.bootSum() && !l.rebooted(boot, wall); ok {
			t := Tx{l: l, now: max(boot+l.header.offset, l.state.lastTick)}
			s = t.standing(a)
		}
	}
	if !l.unlocked(func() {
		if whole = l.undisturbed(peekTries, look); !whole {
			look()
		}
	}) {
		return Standing{}, false
	}
	s.Blocked = s.Blocked && whole
	return s, ok
}

// undisturbed runs work, which only reads, until it has done so while the lock was free. It gives
// up after so many tries: each piece of others' work spoils one at most.
func (l *Ledger) undisturbed(tries int, work func()) bool {
	var fence atomic.Uint32
	for n := range tries {
		if n > 0 {
			time.Sleep(shortestPause)
		}
		if turn := l.undo.turn.Load(); turn&holder == 0 {
			work()
			fence.Add(1) // no processor puts off what was read above until after the turn is read
			if l.undo.turn.Load() == turn {
				return true
			}
		}
	}
	return false
}

// take copies size bytes that stand at the place, two pages at most.
func (r *reader) take(at, size int) error {
	copied := func() {
		copy(r.copy, r.l.mem[at:at+size])
		r.now = r.l.state.lastTick // what has begun since the look did is not of the future
	}
	done := false
	if !r.l.unlocked(func() { done = r.l.undisturbed(readTries, copied) }) {
		return ErrLost
	}
	if done {
		return nil
	}
	return r.l.locked(nil, func(*Tx) { copied() })
}

// records calls look with a copy of each record in use, and its number.
func (r *reader) records(look func(i int, c *client)) error {
	for first := 0; first < r.l.records(); first += ways {
		if err := r.take(r.l.recordAt(first), page); err != nil {
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

// sessions calls look with a copy of each session of a living process. It frees none.
func (r *reader) sessions(look func(s *session)) error {
	living := census{now: r.now, reads: int(r.l.geo.slots), anew: true}
	for first := 0; first < int(r.l.geo.slots); first += wordBits { // whose slots fill a page
		if err := r.take(bitmapAt+first/8, 8); err != nil {
			return err
		}
		if *view[uint64](r.copy, 0) == 0 {
			continue
		}
		if err := r.take(r.l.slotAt(first), page); err != nil {
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

// Report tells what the ledger holds, and all its living sessions, in no order. It frees no
// session, and no process waits for it.
func (l *Ledger) Report(now Moment) (n Totals, live []LiveSession, err error) {
	r, err := l.reading(now)
	if err != nil {
		return Totals{}, nil, err
	}
	if err = r.take(stateAt, len(bytesOf(l.state))); err != nil {
		return Totals{}, nil, err
	}
	n = l.totalsOf(view[state](r.copy, 0))
	n.Waiting, n.Serving = 0, 0
	if err = r.take(totalsAt, totalsSize); err != nil {
		return Totals{}, nil, err
	}
	n.count(view[totals](r.copy, 0), view[apart](r.copy, apartAt-totalsAt))
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
