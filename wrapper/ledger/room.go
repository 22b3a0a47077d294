package ledger

// Hand makes the session another process's: an MTA's that a room has started for the client. It stays
// what and where it is, waiting or serving, since when, and among the client's others. The
// token returned takes the place of the old one, which is none from now on. It
// reports false if there is no such session any more.
//
// Whoever is handed a session must live: see [Identify].
func (t *Tx) Hand(s Session, p Process) (Session, bool) {
	i := t.mine(s)
	if i < 0 {
		return Session{}, false
	}
	t.l.changeSlot(i).belongTo(p, t.now)
	return t.token(i), true
}

// Keep frees every session of that very process which mine does not claim, and returns how many. A
// room calls it for itself when the ledger may count sessions that it has no more: a
// Leave that found the ledger held, another file in the ledger's place, a room before
// it that became this one by execve. mine is given each token as Enter and Hand return it.
//
// Each session freed is work done for itself: call Keep before anything else in the same Do.
// All others wait while mine is asked, so it must look up and nothing else.
func (t *Tx) Keep(p Process, mine func(Session) bool) (freed int) {
	for i := range t.l.liveSlots() {
		s := t.l.slot(i)
		if s.pid != uint32(p.PID) || s.start != p.Start || mine(t.token(i)) {
			continue
		}
		t.free(i)
		t.begin()
		freed++
	}
	return freed
}
