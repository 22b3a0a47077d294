package ledger

import "sync/atomic"

// RegisterGuard says that a guard writes to this file as long as its process lives. It takes no
// lock. If four other guards are registered it does nothing.
func (l *Ledger) RegisterGuard(p Process) {
	l.withoutLock(func() { register(l.unlocked.guards[:], p) })
}

// HasGuard says whether a registered guard lives. It takes no lock.
func (l *Ledger) HasGuard() (found bool) {
	l.withoutLock(func() { found = anyLives(l.unlocked.guards[:]) })
	return found
}

// register puts the process in place of a dead one, unless it is there already, and returns where.
// It is -1 if there is no place.
func register(all []atomic.Uint64, p Process) (at int) {
	for i := range all {
		if e := all[i].Load(); e == entryOf(p) ||
			!lives(e) && all[i].CompareAndSwap(e, entryOf(p)) {
			return i
		}
	}
	return -1
}

func anyLives(all []atomic.Uint64) bool {
	for i := range all {
		if lives(all[i].Load()) {
			return true
		}
	}
	return false
}

// pidShift is where the pid begins in an entry. The rest lasts for a start time of 1,400 years.
const pidShift = 42

// entryOf is a process in one word.
func entryOf(p Process) uint64 {
	return uint64(p.PID)<<pidShift | p.Start&(1<<pidShift-1)
}

func lives(entry uint64) bool {
	p, err := Identify(int(entry >> pidShift))
	return err == nil && entryOf(p) == entry
}
