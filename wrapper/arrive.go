package wrapper

import (
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// The first half of the decision, at the client's arrival.

// Arrive is the first half of the decision: [Session.RefuseUnlocked], or else [Session.Enter]. It
// reports whether what the client does next decides the rest; else the verdict is final, unless in
// a room there is a Search.
func (s *Session) Arrive() (waits bool) {
	waits = !s.RefuseUnlocked() && s.Enter()
	if !s.door.room && s.runSearch() {
		waits = !s.RefuseUnlocked() && s.Enter()
	}
	return waits
}

// Enter is Arrive for a client that is not refused without the ledger's lock. The ledger compares
// it with the limits and counts it in one step.
func (s *Session) Enter() (waits bool) {
	s.door.identify()
	s.door.askerFor()
	named := false
	enter := func(t *ledger.Tx) { named = s.enter(t, named) }
	err := s.updateWithin(s.patience(), enter)
	if named && err == nil {
		s.applyHeard() // which may read the compiled policy
		err = s.updateWithin(s.patience(), enter)
	}
	if err != nil {
		// In a crowd the client is not counted. What the ledger says without the lock may refuse
		// it. Whether it is one too many is asked when it has waited.
		s.facts().Standing = s.door.peek(err, s.arrival())
		s.facts().Hangups = ledger.Hangups{} // which could not be used up
		if s.decide(); s.Verdict.Final() {
			s.countApart()
		}
	}
	if s.Verdict.Final() {
		return false
	}
	switch {
	case err == nil || s.Verdict != decide.Undecided:
	case err == ledger.ErrCrowded:
		s.claimLater()
	default:
		s.claimAlone()
	}
	s.delay = s.facts().Delay()
	return true
}

// enter is Enter with the lock held. If the ledger remembers what DNS has said, and there are rules
// for names, it decides nothing and reports true: the caller applies them without the lock, and
// calls enter once more.
func (s *Session) enter(t *ledger.Tx, applied bool) (named bool) {
	s.freeExited(t)
	h := s.heard
	if !applied && s.asksDNS() {
		if h = s.recall(t); s.heard != nil {
			if s.door.Policy.HasNames() {
				return true
			}
			s.applyHeard()
		}
	}
	a := s.arrival()
	s.facts().Standing = t.Look(a)
	s.decide()
	if !s.facts().Overloaded() && s.beginSearch(t) {
		return false // it is decided once more
	}
	switch s.Verdict {
	case decide.Undecided, decide.Known:
		a.Delay = s.facts().Delay()
		if s.count(t, a); s.entered {
			s.useHangups(t)
			if s.Verdict == decide.Undecided && h != nil {
				s.claim(t, h)
			}
			return false // the verdict is counted when it is final
		}
		s.Verdict = decide.Busy // as many sessions as the ledger has slots
	case decide.Allowed:
		s.count(t, a)
	}
	s.finish(t, false)
	return false
}

// arrival is the client as the ledger sees it.
func (s *Session) arrival() ledger.Arrival {
	return arrival(s.Client, s.network, s.wide, &s.facts().Limits)
}

// useHangups uses the client's hangups up if it need not wait because of them.
func (s *Session) useHangups(t *ledger.Tx) {
	if s.facts().HasLeftOften() {
		s.hangups = s.facts().Hangups.N
		t.ForgetHangups(s.network)
	}
}
