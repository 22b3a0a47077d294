package ledger

import "errors"

// The undo log: what the current operation has overwritten. If the process is killed, the next one
// that takes the lock puts it back.

// checkpoint is the state to which a kill from now on leads back.
func (t *Tx) checkpoint() {
	t.l.commit()
	t.l.save(stateAt, len(bytesOf(t.l.state)))
}

// commit empties the undo log: what was done until now stays.
func (l *Ledger) commit() {
	l.undoUsed = 0
	l.undo.used.Store(0)
}

// errDamaged says that the undo log is not what this operation has written.
var errDamaged = errors.New("undo log is damaged")

// markDamaged has the next process that opens the file set it aside: what this operation has
// changed cannot be undone.
func (l *Ledger) markDamaged() {
	l.withoutLock(func() { l.header.checksum = damagedSum(l.header) })
}

// save puts the bytes at the given place into the undo log. It must be called before they are
// changed for the first time. An entry counts from the moment that used includes it. This process
// knows by itself where the next entry goes; the file must say the same.
func (l *Ledger) save(at, size int) {
	entry := l.undoAt + undoHead + l.undoUsed
	next := l.undoUsed + undoEntrySize + (size+7)/8*8
	if l.undo.used.Load() != uint64(l.undoUsed) { // a foreign process writes into the file
		l.markDamaged()
		panic(errDamaged)
	}
	if next > undoSize-undoHead { // a bug in this package: each operation saves a few records
		panic(errDamaged)
	}
	e := view[undoEntry](l.mem, entry)
	e.at, e.size = uint64(at), uint64(size)
	copy(l.mem[entry+undoEntrySize:], l.mem[at:at+size])
	l.undoUsed = next
	l.undo.used.Store(uint64(next))
}

// rollback puts back, newest first, what a killed process has overwritten, so that the oldest bytes
// of a place that was saved twice win. It may itself be killed and repeated. It stops at an entry
// that makes no sense, since save never wrote such a log.
func (l *Ledger) rollback() {
	used := int(min(l.undo.used.Load(), undoSize-undoHead))
	var entries [undoSize / undoEntrySize]uint16
	n := 0
	for at, ok := 0, true; ; n++ {
		entries[n] = uint16(at)
		if _, at, ok = l.entry(at, used); !ok {
			break
		}
	}
	for n--; n >= 0; n-- {
		from := int(entries[n])
		if e, _, ok := l.entry(from, used); ok {
			copy(l.mem[e.at:e.at+e.size], l.mem[l.undoAt+undoHead+from+undoEntrySize:])
		}
	}
	l.commit()
}

// entry is the entry of the undo log that begins at that offset, and where the next one begins. It
// is read once, since another process may change it. It reports false if save never writes such an
// entry.
func (l *Ledger) entry(at, used int) (e undoEntry, next int, ok bool) {
	if at+undoEntrySize > used {
		return e, 0, false
	}
	e = *view[undoEntry](l.mem, l.undoAt+undoHead+at)
	ok = l.saveable(e.at, e.size) && at+undoEntrySize+int(e.size) <= used
	return e, at + undoEntrySize + (int(e.size)+7)/8*8, ok
}

// saveable says whether save is ever called with such numbers: never for the fixed part of the
// header, nor for the log itself.
func (l *Ledger) saveable(at, size uint64) bool {
	end, log := at+size, uint64(l.undoAt)
	return size <= undoSize && at <= end &&
		(at >= totalsAt && end <= log || at >= log+undoSize && end <= uint64(len(l.mem)))
}

const undoEntrySize = 16
