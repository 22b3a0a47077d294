package ledger

import "errors"

// Cause is why a process went on without the ledger.
type Cause int

// The causes. Their numbers keep their meaning as long as files do.
const (
	HeldByStopped Cause = iota // a stopped process held the lock
	HeldTooLong                // another process kept the lock
	Crowded                    // a known client did not get the lock

	causes = 4 // for which there is room before the next
)

// Trouble is something else of ours that kept a client from what the configuration says.
type Trouble int

// The troubles. Their numbers keep their meaning as long as files do.
const (
	Unseen        Trouble = iota // what the client does could not be seen: it counted as quiet
	DNSSilent                    // no server of DNS answered: lists and names did not count
	Unwritten                    // an offence could not be written, and is forgotten
	NoDescriptor                 // it was refused, since no descriptor was free
	Unlogged                     // its line in the log is lost
	KnownRefused                 // it was known, and was refused all the same
	RulesUnread                  // rules for its name could not be read, and did not hold
	WideUncounted                // a wide network could not count it, whose limits did not hold

	lastTrouble = WideUncounted
	troubles    = 12 // for which there is room
)

// Troubles lists all that are counted, in order.
func Troubles() (all []Trouble) {
	for t := range lastTrouble + 1 {
		all = append(all, t)
	}
	return all
}

// String is the word for programs.
func (t Trouble) String() string {
	return [...]string{Unseen: "unseen", DNSSilent: "dns_silent", Unwritten: "unwritten",
		NoDescriptor: "no_descriptor", Unlogged: "unlogged", KnownRefused: "known_refused",
		RulesUnread: "rules_unread", WideUncounted: "wide_uncounted"}[t]
}

// CountTrouble counts, without the lock, clients that met the trouble.
func (l *Ledger) CountTrouble(what Trouble, clients int) {
	l.withoutLock(func() { l.unlocked.troubles[what].Add(uint64(clients)) })
}

// CountUnlocked counts a verdict without the lock, for a caller that did not get it.
func (l *Ledger) CountUnlocked(verdict int) {
	if verdict >= 0 && verdict < Verdicts {
		l.withoutLock(func() { l.unlocked.verdicts[verdict].Add(1) })
	}
}

// CountFailOpen counts, without the lock, a client that met no limits because of this error of Do.
func (l *Ledger) CountFailOpen(err error) {
	cause := Crowded
	if held := (*HeldError)(nil); errors.As(err, &held) {
		cause = HeldTooLong
		if held.Stopped {
			cause = HeldByStopped
		}
	} else if err != ErrCrowded {
		return
	}
	l.withoutLock(func() { l.unlocked.failOpen[cause].Add(1) })
}

// CountIdle counts, without the lock, a session that was ended because it was idle.
func (l *Ledger) CountIdle() { l.withoutLock(func() { l.unlocked.idle.Add(1) }) }

// withoutLock runs work that needs no lock: one atomic operation, or reading. It reports false if
// the file is lost.
func (l *Ledger) withoutLock(work func()) bool {
	if l == nil || l.lost {
		return false
	}
	var err error
	func() {
		defer l.catchFault(&err, setPanicOnFault(true))
		work()
	}()
	return err == nil
}

// copyFrom copies the counts of another ledger, and not which rooms there are.
func (u *unlocked) copyFrom(old *unlocked) {
	for i := range u.verdicts {
		u.verdicts[i].Store(old.verdicts[i].Load())
	}
	for i := range u.failOpen {
		u.failOpen[i].Store(old.failOpen[i].Load())
	}
	u.idle.Store(old.idle.Load())
	u.passed.Store(old.passed.Load())
	u.silent.Store(old.silent.Load())
	for i := range u.troubles {
		u.troubles[i].Store(old.troubles[i].Load())
	}
}
