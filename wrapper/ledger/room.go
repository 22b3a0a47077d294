package ledger

import "net/netip"

// HasRoom says whether a registered room lives. It takes no lock.
func (l *Ledger) HasRoom() (found bool) {
	l.withoutLock(func() { found = anyLives(l.unlocked.rooms[:]) })
	return found
}

// Transfer gives the session to another process, such as the MTA that a room has started for the
// client. The session keeps its state and its time. The token returned replaces the old one, which
// is invalid from now on. It reports false if there is no such session any more.
//
// The new process must be alive: see [Identify].
func (t *Tx) Transfer(s Session, p Process) (Session, bool) {
	i := t.slotOf(s)
	if i < 0 {
		return Session{}, false
	}
	t.l.changeSlot(i).setProcess(p, t.now)
	return t.token(i), true
}

// FreeExcept frees every session of exactly that process for which keep reports false, and returns
// how many. A room calls it for itself when the ledger may count sessions that have ended: after a
// Leave that failed because the lock was held, in a ledger that has replaced another, or after the
// room has become this process by execve. keep is called with the tokens that Enter and Transfer
// return.
//
// There is a checkpoint after each freed session, so call FreeExcept before anything else in the
// same Do. All other processes wait while keep is called, so it must look up and nothing else.
func (t *Tx) FreeExcept(p Process, keep func(Session) bool) (freed int) {
	for i := range t.l.liveSlots() {
		s := t.l.slot(i)
		if s.pid != uint32(p.PID) || s.start != p.Start || keep(t.token(i)) {
			continue
		}
		t.free(i)
		t.checkpoint()
		freed++
	}
	return freed
}

// Orphan is a session that is being served, but in the name of a dead room: one that was killed
// while it started the MTA, or before it could transfer the session.
type Orphan struct {
	Session Session
	Client  netip.AddrPort
}

// orphanTime is how long an orphan counts, in ms, so that the next room has time to look for its
// MTA (see Orphans) even if other processes have looked at the ledger before. A live room needs
// moments for it.
const orphanTime = 10_000

// orphan says whether the session, whose process is dead, may have a live MTA.
func (t *Tx) orphan(s *session) bool {
	served := s.shared() && s.state == slotServing && s.pid != 0 && s.pid <= maxPID
	return served && s.checked <= t.now && t.now-s.checked < orphanTime
}

// Orphans lists the orphans, in no order. The caller transfers each session to its MTA, or ends the
// session if it finds none.
func (t *Tx) Orphans() []Orphan {
	living := t.recheckAll()
	var all []Orphan
	for i := range t.l.liveSlots() {
		if s := t.l.slot(i); s.shared() && s.state == slotServing && !living.alive(s) {
			all = append(all, Orphan{t.token(i), s.live(t.now).Client})
		}
	}
	return all
}
