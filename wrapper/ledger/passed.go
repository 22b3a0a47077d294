package ledger

import "net/netip"

// ServePassed is Serve for a client that is served because it has waited: see [Tx.HasPassed].
func (t *Tx) ServePassed(s Session) {
	if i := t.slotOf(s); i >= 0 && t.l.slot(i).state == slotWaiting {
		t.serve(i, true)
	}
}

// HasPassed says whether the client of the network has a session that is served because it has
// waited. Of a network with more than manySessions it may not find it.
func (t *Tx) HasPassed(client netip.AddrPort, network netip.Prefix) bool {
	record := t.l.find(keyOf(network))
	if record < 0 || t.sessionsOf(t.l.record(record)) == 0 {
		return false
	}
	i := int(t.l.record(record).first) - 1
	for range manySessions {
		if !t.ownedBy(i, record) {
			break
		}
		s := t.l.slot(i)
		if s.port == client.Port() && s.addr == client.Addr().As16() {
			return s.state == slotServing && s.delay > 0
		}
		i = int(s.next) - 1
	}
	return false
}

// CountPassed counts, without the lock, a session that has ended and was served because its client
// has waited.
func (l *Ledger) CountPassed(silent bool) {
	l.withoutLock(func() {
		l.unlocked.passed.Add(1)
		if silent {
			l.unlocked.silent.Add(1)
		}
	})
}
