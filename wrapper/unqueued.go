package wrapper

import (
	"time"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/ledger"
)

// Clients that need not queue for the ledger, or did so in vain.

// RefuseUnlocked refuses a client that the configuration denies or that is blocked already, without
// the ledger's lock. So an attacker that comes with hundreds of connections at a time is the
// cheapest to refuse, and does not compete with clients that queue for the lock. It reports false,
// and nothing is decided, if the client is neither, or if that cannot be seen at this moment.
func (s *Session) RefuseUnlocked() bool {
	now := s.door.Ledger.Now()
	switch f := s.facts(); {
	case f.Rule.Access == rule.Allow:
		return false
	case !f.IsDenied():
		standing, _ := s.door.Ledger.Peek(now, s.arrival())
		if f.Standing = standing; !f.IsBlocked() {
			return false
		}
	}
	s.decide()
	if !s.door.Ledger.PastDue(now) || s.update(func(t *ledger.Tx) {
		t.CountFor(s.countedAs(), s.event())
	}) != nil {
		s.countApart()
	}
	return true
}

// patience is how long the client queues for the ledger while others get the lock; 0 = as long as
// any other. For an allowed client it is short. Nothing that the ledger says can refuse it: in a
// crowd it is served uncounted rather than late.
func (s *Session) patience() time.Duration {
	if s.facts().IsAllowed() {
		return ledger.Patience
	}
	return 0
}

// peek is what the ledger says of the client without its lock; nothing after any error but
// ErrCrowded. It leaves out the numbers of sessions, since those of the dead would count.
func (d *Door) peek(err error, a ledger.Arrival) (s ledger.Standing) {
	if err == ledger.ErrCrowded {
		s, _ = d.Ledger.Peek(d.Ledger.Now(), a)
		s.Serving, s.Waiting, s.Conns = 0, 0, 0
		for n := range s.WideCounts {
			s.WideCounts[n].Conns = 0
		}
	}
	return s
}
