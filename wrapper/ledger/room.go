package ledger

import "net/netip"

// Hand makes the session another process's: an MTA's that a room has started for the client. It
// stays what and where it is, waiting or serving, since when, and among the client's others. The
// token returned takes the place of the old one, which is none from now on. It reports false if
// there is no such session any more.
//
// The process that gets the session must live: see [Identify].
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

// Orphan is a session that is served, but stands under the name of a room that is dead: killed
// while the MTA was started, or before it could say so.
type Orphan struct {
	Session Session
	Client  netip.AddrPort
}

// orphanTime is how long an orphan counts, in ms, so that the next room has the time to look
// whether there is an MTA (see Orphans) although others have looked at the ledger before. A room
// that lives needs moments for it.
const orphanTime = 10_000

// orphan says whether the session, whose process is dead, may have an MTA that lives.
func (t *Tx) orphan(s *session) bool {
	served := s.shared() && s.state == slotServing && s.pid != 0 && s.pid <= maxPID
	return served && s.checked <= t.now && t.now-s.checked < orphanTime
}

// Orphans lists the orphans, in no order. The caller hands the session to the orphan's MTA if it
// finds one, and else ends it.
func (t *Tx) Orphans() []Orphan {
	living := t.thoroughly()
	var all []Orphan
	for i := range t.l.liveSlots() {
		if s := t.l.slot(i); s.shared() && s.state == slotServing && !living.alive(s) {
			client := netip.AddrPortFrom(netip.AddrFrom16(s.addr).Unmap(), s.port)
			all = append(all, Orphan{t.token(i), client})
		}
	}
	return all
}
