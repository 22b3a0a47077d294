package ledger

import (
	"errors"
	"runtime/debug"
)

// Cause is why somebody went on without the ledger.
type Cause int

// The causes. Their numbers keep their meaning as long as files do.
const (
	HeldByStopped Cause = iota // another process has the lock and is stopped
	HeldTooLong                // another's turn does not end
	Crowded                    // a known client had no turn
	causes        = 4          // for which there is room
)

// CountApart counts a verdict without the lock, for a caller that did not get it.
func (l *Ledger) CountApart(verdict int) {
	if verdict >= 0 && verdict < Verdicts {
		l.unlocked(func() { l.apart.verdicts[verdict].Add(1) })
	}
}

// CountOpen counts, without the lock, a client that met no limits because of this error of Do.
func (l *Ledger) CountOpen(err error) {
	cause := Crowded
	if held := (*HeldError)(nil); errors.As(err, &held) {
		cause = HeldTooLong
		if held.Stopped {
			cause = HeldByStopped
		}
	} else if err != ErrCrowded {
		return
	}
	l.unlocked(func() { l.apart.open[cause].Add(1) })
}

// CountIdle counts, without the lock, a session that was ended because it was idle.
func (l *Ledger) CountIdle() { l.unlocked(func() { l.apart.idle.Add(1) }) }

// unlocked runs work that is right without the lock: one atomic step, or a look. It reports false
// if the file is lost.
func (l *Ledger) unlocked(work func()) bool {
	if l.lost {
		return false
	}
	var err error
	func() {
		defer l.catchFault(&err, debug.SetPanicOnFault(true))
		work()
	}()
	return err == nil
}

// take copies the counts of another ledger.
func (a *apart) take(from *apart) {
	for i := range a.verdicts {
		a.verdicts[i].Store(from.verdicts[i].Load())
	}
	for i := range a.open {
		a.open[i].Store(from.open[i].Load())
	}
	a.idle.Store(from.idle.Load())
}
