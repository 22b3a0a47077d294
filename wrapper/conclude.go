package wrapper

import (
	"time"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// The second half of the decision, after what the client did.

// Expire is the verdict about a client whose turn has not come in time. It has waited in vain, and
// need not wait again.
func (s *Session) Expire(waited, turn time.Duration) {
	s.Verdict, s.greet, s.waited, s.turn = decide.Busy, decide.Quiet, waited, turn
	err := s.door.inLedger(func(t *ledger.Tx) {
		f, now := &s.facts, t.Look(s.door.arrival(s.Client, &s.facts.Limits))
		f.Serving, f.Waiting, f.Served, f.Wide = now.Serving, now.Waiting, now.Served, now.Wide
		// The log says why.
		if f.HasItsShare() && f.Serving < f.Limits.MaxSessions {
			s.Verdict = decide.Conns
		}
		s.leave(t)
		t.Count(int(s.Verdict))
		s.remember(t)
	})
	if err != nil {
		s.door.countApart(decide.Busy)
	}
}

// remember makes a client known that has waited, now or before it left. One that was known already
// has waited for nothing: that it has come again is noted, but it is not known for longer, unless
// it could only be known again by leaving as often.
func (s *Session) remember(t *ledger.Tx) {
	network, d := s.door.Network(s.Client.Addr()), s.facts.Limits.Remember
	switch {
	case s.facts.IsKnown():
		t.Visit(network, d)
	case s.hangups > 0:
		t.RememberForHangups(network, d)
	default:
		t.Remember(network, d)
	}
}

// Withdraw is Conclude for a client that has left while it waited for its turn.
func (s *Session) Withdraw(waited, turn time.Duration) {
	s.turn = turn
	s.Conclude(decide.Left, waited)
}

// renew takes the facts from the configuration that a room has read anew meanwhile.
func (s *Session) renew() {
	if s.config != s.door.Config {
		s.config = s.door.Config
		s.door.facts(&s.facts, s.Client.Addr())
	}
}

// conclude decides; a patient one leaves it undecided whether a client is one too many.
func (s *Session) conclude(patient bool) {
	s.renew()
	s.crowded = false
	limits := s.facts.Limits
	limits.ClientConns, limits.ClientRate.N = 0, 0 // taken at arrival
	network := s.door.Network(s.Client.Addr())
	counted := s.counted != ledger.Session{}
	if !counted { // the ledger was not to be had when it arrived
		limits = s.facts.Limits
	}
	arrived := s.facts.Standing
	a := s.door.arrival(s.Client, &limits)
	err := s.door.inLedger(func(t *ledger.Tx) {
		s.free(t)
		s.facts.Standing = t.Look(a)
		// Whether it was known decided how long it had to wait; another connection of
		// the same client may have passed meanwhile.
		s.facts.Known = arrived.Known
		if counted {
			s.facts.Conns = arrived.Conns
		}
		if s.Verdict = s.facts.ConcludeFor(s.greet, counted); patient && s.oneTooMany(counted) {
			s.Verdict = decide.Undecided
			return
		}
		if !s.door.Process.Shared && s.seek(t) {
			return // it is decided once more
		}
		if s.Verdict.Served() && !counted {
			if s.counted, s.stood = t.Enter(a, s.door.Process); !s.stood && s.Verdict != decide.Allowed {
				s.Verdict = decide.Busy // as many sessions as the ledger has slots
			}
		}
		t.Count(int(s.Verdict))
		switch s.Verdict {
		case decide.Hangup:
			t.Left(s.waited)
			if counted && s.delay > 0 && !s.facts.Blocked {
				t.HungUp(network, s.waited, limits.Hangups.Per)
			}
		case decide.Pregreet:
			t.Spoke(s.waited)
			t.ForgetHangups(network)
			if s.proven = s.facts.IsProven(); !s.proven {
				s.strike(t)
			}
		case decide.Pass:
			t.Forgive(network, decide.ReasonPregreet)
			s.remember(t)
		case decide.Known, decide.Busy, decide.Conns:
			s.remember(t)
		}
		if !s.Verdict.Served() {
			s.leave(t)
			return
		}
		t.Serve(s.counted)
	})
	if err != nil {
		token, stood := s.counted, s.stood
		s.forget()
		s.counted, s.stood = token, stood // it still stands there, as one that waits
		s.facts.Standing = s.door.peek(err, a)
		s.facts.Known = arrived.Known
		s.facts.Waited = s.facts.Waited || arrived.Waited
		// In a crowd the ledger has been read all the same; else it may be known, if nobody could
		// ask.
		s.proven = s.facts.IsProven() || !counted && err != ledger.ErrCrowded
		s.Verdict = s.facts.ConcludeFor(s.greet, counted)
		if s.crowded = err == ledger.ErrCrowded && s.Verdict == decide.Pass; s.crowded {
			s.Verdict = decide.Busy
		}
		if patient && s.oneTooMany(counted) {
			s.Verdict = decide.Undecided
			return
		}
		s.door.countApart(s.Verdict)
		if !counted && (s.Verdict == decide.Known || s.Verdict == decide.Pass) {
			s.door.countOpen(err)
		}
		if s.Verdict == decide.Pregreet && !s.proven {
			s.door.owe(s)
		}
	}
}

// oneTooMany says whether the client would be served if others were not.
func (s *Session) oneTooMany(counted bool) bool {
	return s.Verdict == decide.Busy || s.Verdict == decide.Conns && counted
}

// strike writes down the client's offence, unless that would be this machine's own.
func (s *Session) strike(t *ledger.Tx) {
	if kind := s.early.Kind; !s.ours {
		s.strikes, s.block = t.Strike(s.door.Network(s.Client.Addr()), decide.Reason(kind),
			s.facts.Limits.Strikes[kind], Penalty(s.door.Config))
	}
}

// forget is what a failed ledger leaves of what it said.
func (s *Session) forget() {
	s.facts.Standing, s.counted, s.stood = ledger.Standing{}, ledger.Session{}, false
	s.strikes, s.block, s.search = 0, 0, nil
}
