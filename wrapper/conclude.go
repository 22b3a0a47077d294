package wrapper

import (
	"time"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/policy"
)

// The second half of the decision, after what the client did.

// Conclude decides about the client after what it did within the time given.
func (s *Session) Conclude(g decide.Greet, waited time.Duration) {
	s.greet, s.waited = g, waited
	if waited >= s.delay {
		s.settle()
	}
	s.leaveInquiry()
	if g == decide.Spoke && s.early.Text == nil { // else Look has seen it
		s.hear(peekEarly(s.FD))
	}
	if s.conclude(false); s.runSearch() {
		s.conclude(false)
	}
}

// hear takes down what a client has said early.
func (s *Session) hear(what Early) {
	s.early = what
	s.own = s.door.OwnOf(s.network, &s.facts().Limits)
}

// Admit is Conclude for a client that has been quiet to the end and has then waited in a room's
// queue. While as many sessions as may are served it decides nothing and reports false: call it
// again, or Expire.
func (s *Session) Admit(waited, turn time.Duration) (decided bool) {
	s.greet, s.waited, s.turn = decide.Quiet, waited, turn
	s.settle()
	s.conclude(s.door.Policy.Mode == policy.Enforce)
	return s.Verdict != decide.Undecided
}

// Withdraw is Conclude for a client that has left the queue.
func (s *Session) Withdraw(waited, turn time.Duration) {
	s.turn = turn
	s.Conclude(decide.Left, waited)
}

// ConcludeByRule is Conclude for a client that waits in a room while the room reads its
// configuration again, if that allows or denies the client now, whatever the client does. Otherwise
// it changes nothing and reports false.
func (s *Session) ConcludeByRule(waited, turn time.Duration) (decided bool) {
	client, p := s.Client.Addr(), s.door.Policy
	if p.Match(client).Access == rule.Unset {
		if p.Map == nil || p.Map.Match(client).Access != rule.Deny {
			return false
		}
		s.renew()
		if !s.facts().IsDenied() { // its name may be known in time
			s.Rest()
			return false
		}
	}
	s.turn = turn
	s.Conclude(decide.Quiet, waited)
	return true
}

// conclude decides. With mayQueue it leaves a client undecided that is one too many.
func (s *Session) conclude(mayQueue bool) {
	s.renew()
	s.crowded = false
	counted := s.token != ledger.Session{} // the ledger could be used when it arrived
	f, a := s.facts(), s.arrival()
	s.door.identify()
	before := f.Standing // at its arrival
	err := s.update(func(t *ledger.Tx) {
		s.freeExited(t)
		if counted {
			f.Standing = t.LookAgain(a)
			s.keepShown(&before)
		} else {
			f.Standing = t.Look(a)
		}
		// Whether it was known decided how long it had to wait; another connection of
		// the same client may have passed meanwhile.
		f.Known = before.Known
		s.decideAgain(counted)
		if mayQueue && s.oneTooMany(counted) {
			s.Verdict = decide.Undecided
			return
		}
		if !s.door.room && s.beginSearch(t) {
			return // it is decided once more
		}
		if s.Verdict.Served() && !counted {
			s.count(t, a)
			if !s.entered && s.Verdict != decide.Allowed {
				s.Verdict = decide.Busy // as many sessions as the ledger has slots
			}
		}
		s.finish(t, s.note(t, counted))
	})
	if err != nil {
		s.concludeUnlocked(err, &before, counted, mayQueue)
	}
}

// concludeUnlocked is conclude after this error of the ledger. before is what the ledger said when
// the client came.
func (s *Session) concludeUnlocked(err error, before *ledger.Standing, counted, mayQueue bool) {
	f := s.facts()
	f.Standing = s.door.peek(err, s.arrival())
	f.Known, f.Waited = before.Known, f.Waited || before.Waited
	// In a crowd the ledger has been read all the same. Otherwise a client that could not be looked
	// up at all may be a known one.
	s.patient = f.IsPatient() || !counted && err != ledger.ErrCrowded
	s.decideAgain(counted)
	if s.crowded = err == ledger.ErrCrowded && s.Verdict == decide.Pass; s.crowded {
		s.Verdict = decide.Busy
	}
	if mayQueue && s.oneTooMany(counted) {
		s.Verdict = decide.Undecided
		return
	}
	s.countApart()
	if !counted && s.Verdict.Served() && s.Verdict != decide.Allowed {
		s.without(err)
	}
	if s.Verdict == decide.Pregreet && !s.patient {
		s.door.writeLater(s)
	}
}

// note writes down what the client did. It reports whether the client has waited long enough, and
// becomes known.
func (s *Session) note(t *ledger.Tx, counted bool) (known bool) {
	if s.greet == decide.Spoke && s.would != decide.Undecided && s.Verdict != decide.Pregreet {
		t.Spoke(s.waited)
		return false
	}
	switch s.Verdict {
	case decide.Hangup:
		t.Left(s.waited)
		if counted && s.delay > 0 && !s.facts().Blocked {
			t.HungUp(s.network, s.waited, s.facts().Limits.Hangups.Per)
		}
	case decide.Pregreet:
		t.Spoke(s.waited)
		t.ForgetHangups(s.network)
		if s.patient = s.facts().IsPatient(); !s.patient {
			s.strike(t)
		}
	case decide.Pass:
		s.forgive(t)
		return true
	case decide.DNSWL:
		return true
	case decide.Known, decide.Busy, decide.Conns:
		return true
	}
	return false
}

// oneTooMany says whether the client would be served if others were not.
func (s *Session) oneTooMany(counted bool) bool {
	return s.Verdict == decide.Busy || s.Verdict == decide.Conns && counted
}

// renew takes the facts from the configuration if a room has read another one.
func (s *Session) renew() {
	if s.policy != s.door.Policy {
		s.policy = s.door.Policy
		s.door.facts(s.facts(), s.Client.Addr(), s.door.room)
		s.applyHeard()
	}
}

// strike writes down the client's offence, unless its network is this machine's own.
func (s *Session) strike(t *ledger.Tx) {
	l, p := &s.facts().Limits, Penalty(s.door.Policy.Settings)
	o := Offence{
		Network: s.network, Limits: l, Own: s.own, Reason: decide.Reason(s.early.Kind),
		Weight: l.Strikes[s.early.Kind], Penalty: p, WidePenalty: p,
	}
	if struck := o.Strike(t); struck.Strikes > 0 {
		s.struck = &struck
	}
}

// remember makes a client known that has waited, now or before it left. A client that was known
// already did not wait this time: its visit is noted, but it is not known for longer, unless it
// could only be known again by leaving as often. With remember_after mail it is known for a message
// alone: the guard remembers it.
func (s *Session) remember(t *ledger.Tx) {
	switch d := s.facts().Limits.Remember; {
	case s.facts().IsKnown():
		t.Visit(s.network, d)
	case s.facts().Limits.KnownByMail:
		t.ForgetHangups(s.network)
	case s.hangups > 0:
		t.RememberForHangups(s.network, d)
	default:
		t.Remember(s.network, d)
	}
}

// update runs work on the ledger. After an error none of it was done.
func (s *Session) update(work func(*ledger.Tx)) error { return s.updateWithin(0, work) }

// updateWithin is update for a client that waits no longer than the time given while others use the
// ledger; 0 = as long as any other.
func (s *Session) updateWithin(patience time.Duration, work func(*ledger.Tx)) error {
	before := s.entry
	err := s.door.Ledger.RunWithin(patience, work)
	if err != nil {
		s.entry = before
	}
	return err
}
