package ledger

// sweepEvery is how long the counts of all sessions are believed once they have been
// held against the living processes, in ms. Without it a flood at a full server
// would look at every process for each client it refuses.
const sweepEvery = 20

// Stress begins at 80 % of a limit and ends below 60 %.
const stressOn, stressOff = 80, 60

// verify frees the dead among the sessions that a limit is about to be held against; the
// number of slots is a limit too.
func (t *Tx) verify(a Arrival) {
	s := t.state()
	if over(s.serving, a.Limits.Serving, stressOn) || over(s.waiting, a.Limits.Waiting, stressOn) || t.l.freeSlot() < 0 {
		if t.now-s.sweptAt >= sweepEvery || s.sweptAt > t.now {
			t.sweep()
		}
	}
	if i := t.l.find(keyOf(a.Network)); i >= 0 {
		if n := int(t.sessionsOf(t.l.record(i))); n > 0 {
			t.reapClient(i, a.Limits.Conns > 0 && n >= a.Limits.Conns)
		}
	}
}

// over says whether n has reached so many percent of the limit.
func over(n uint32, limit, percent int) bool {
	return limit > 0 && int(n)*100 >= limit*percent
}

// stress shortens the greet delay while the place is crowded. Between the two marks it
// stays as it is, so that it does not flutter.
func (t *Tx) stress(max Limits) {
	s := t.state()
	switch {
	case over(s.serving, max.Serving, stressOn) || over(s.waiting, max.Waiting, stressOn):
		s.stressed = 1
	case !over(s.serving, max.Serving, stressOff) && !over(s.waiting, max.Waiting, stressOff):
		s.stressed = 0
	}
}

// sweep frees every session whose process is dead and counts the others anew. Each
// one freed is work done for itself, so that the undo log stays short.
func (t *Tx) sweep() {
	l := t.l
	var waiting, serving uint32
	var before session // a room's sessions follow one another: one look is enough for all
	for i := range l.liveSlots() {
		s := l.slot(i)
		same := before.state != slotFree && s.pid == before.pid && s.start == before.start
		if s.state != slotFree && (same || s.alive(t.now)) {
			before = *s
			if s.state == slotServing {
				serving++
			} else {
				waiting++
			}
			continue
		}
		t.free(i)
		t.begin()
	}
	st := t.state()
	st.waiting, st.serving, st.sweptAt = waiting, serving, t.now
}

// reapClient does the same for the sessions of one client, thoroughly if a limit depends
// on it; else a pid that has been handed on may pass for the session's. It
// trusts no link: a list that does not add up is cut off where it goes wrong.
func (t *Tx) reapClient(record int, thorough bool) {
	l := t.l
	n, before := uint32(0), uint32(0)
	for i := int(l.record(record).first) - 1; t.ownedBy(i, record) && l.slot(i).prev == before; {
		s := l.slot(i)
		next := int(s.next) - 1
		if s.exists() && (!thorough || s.sameProcess(t.now)) {
			n, before = n+1, uint32(i)+1
		} else {
			t.free(i)
			t.begin()
		}
		i = next
	}
	if c := l.record(record); c.sessions != n {
		l.change(record).sessions = n
		t.begin()
	}
}
