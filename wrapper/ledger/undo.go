package ledger

import "errors"

// The undo log: what the work under way has overwritten. If the process is killed, the next that
// has the lock puts it back.

// begin is where a kill from now on leads back to.
func (t *Tx) begin() {
	t.l.forget()
	t.l.save(stateAt, len(bytesOf(t.l.state)))
}

// forget empties the undo log: what was done until now stands.
func (l *Ledger) forget() {
	l.saved = 0
	l.undo.used.Store(0)
}

// errDamaged says that the undo log is not what this work has written.
var errDamaged = errors.New("undo log is damaged")

// condemn marks the file, so that the next process that opens it sets it aside: what this work has
// changed cannot be undone.
func (l *Ledger) condemn() {
	l.unlocked(func() { l.header.checksum = condemned(l.header) })
}

// save puts what stands at the given place into the undo log. It must be called before
// the first change there. Entries count from the moment that used says so. Where the next one goes
// this process knows by itself; what the file says of it must be the same.
func (l *Ledger) save(at, size int) {
	entry := undoAt + undoHead + l.saved
	next := l.saved + sizeOfSaved + (size+7)/8*8
	if l.undo.used.Load() != uint64(l.saved) { // somebody else writes into the file
		l.condemn()
		panic(errDamaged)
	}
	if next > undoSize-undoHead { // a mistake in this package: each work saves a few records
		panic(errDamaged)
	}
	s := view[saved](l.mem, entry)
	s.at, s.size = uint64(at), uint64(size)
	copy(l.mem[entry+sizeOfSaved:], l.mem[at:at+size])
	l.saved = next
	l.undo.used.Store(uint64(next))
}

// rollback puts back, newest first, what a killed process had overwritten, so that
// the oldest bytes of a place that was saved twice win. It may itself be killed and
// repeated. An entry that makes no sense ends it: the log was never written by us.
func (l *Ledger) rollback() {
	used := int(min(l.undo.used.Load(), undoSize-undoHead))
	var entries [undoSize / sizeOfSaved]uint16
	n := 0
	for at, ok := 0, true; ; n++ {
		entries[n] = uint16(at)
		if _, at, ok = l.entry(at, used); !ok {
			break
		}
	}
	for n--; n >= 0; n-- {
		from := int(entries[n])
		if s, _, ok := l.entry(from, used); ok {
			copy(l.mem[s.at:s.at+s.size], l.mem[undoAt+undoHead+from+sizeOfSaved:])
		}
	}
	l.forget()
}

// entry is the one of the undo log that begins there, and where the next does. It is read once, as
// its numbers may be others a moment later, and reports false if save never writes such a one.
func (l *Ledger) entry(at, used int) (s saved, next int, ok bool) {
	if at+sizeOfSaved > used {
		return s, 0, false
	}
	s = *view[saved](l.mem, undoAt+undoHead+at)
	ok = l.saves(s.at, s.size) && at+sizeOfSaved+int(s.size) <= used
	return s, at + sizeOfSaved + (int(s.size)+7)/8*8, ok
}

// saves says whether save is ever called with such numbers: never for the fixed part of
// the header, nor for the log itself.
func (l *Ledger) saves(at, size uint64) bool {
	end := at + size
	return size <= undoSize && at <= end &&
		(at >= stateAt && end <= undoAt || at >= totalsAt && end <= uint64(len(l.mem)))
}

const sizeOfSaved = 16
