package ledger

// isIn says whether the session is counted by the record of a wide network.
func (t *Tx) isIn(w *client, s *session) bool {
	return w.bits <= 128 && key{s.addr, 128}.widened(int(w.bits)).addr == w.addr &&
		t.flagOf(s, int(w.bits)) != 0
}

// recountWide counts the sessions of a wide network again; -1 = there is none. It is for a count
// that may have reached a limit, since the file may say anything.
func (t *Tx) recountWide(record int) {
	if record < 0 {
		return
	}
	w := t.l.record(record)
	if w.used != usedByWide { // it went with its last session
		return
	}
	var n, serving uint32
	for i := range t.l.liveSlots() {
		if s := t.l.slot(i); t.isIn(w, s) {
			n++
			if s.state == slotServing {
				serving++
			}
		}
	}
	if w.epoch == t.l.header.epoch && w.sessions == n && w.first == serving {
		return
	}
	w = t.l.change(record)
	w.epoch, w.sessions, w.first = t.l.header.epoch, n, serving
	if n == 0 {
		t.dropWide(w)
	}
}

// verifyWide frees the dead among the sessions of a wide network that has as many as it may. All
// other processes wait for that, and in a flood each refused client would cause it: so if there are
// many, the result is believed for sweepShare times as long as it took. It is not if start times
// were read, since the next look within [identityTTL] reads none: with a few hundred sessions that
// takes no time, and the count is as exact as that of the client's own network.
func (t *Tx) verifyWide(limits *WideLimits) {
	if limits.Conns <= 0 {
		return
	}
	record := t.l.findWide(keyOf(limits.Network))
	if record < 0 {
		return
	}
	w := *t.l.record(record)
	if int(t.sessionsOf(&w)) < limits.Conns ||
		t.now < w.knownTill && w.knownTill-t.now <= sweepLongest {
		return
	}
	watch := startWatch()
	living := livenessCache{own: t.l.pid, now: t.now, readsLeft: int(t.l.geo.slots)}
	living.remember(t.l.room)
	for i := range t.l.liveSlots() {
		if s := t.l.slot(i); t.isIn(&w, s) && !living.alive(s) && !t.orphan(s) {
			t.free(i)
			t.checkpoint()
		}
	}
	t.recountWide(record)
	if c := t.l.record(record); c.used == usedByWide && living.readsLeft == int(t.l.geo.slots) {
		believed := sweepShare * watch.elapsed().Microseconds() / 1000
		t.l.change(record).knownTill = t.now + min(believed, sweepLongest)
	}
	t.checkpoint()
}
