package wrapper

import (
	"net/netip"
	"time"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/policy"
)

// The ends of a session: that of every decision, and those for which the client did nothing.

// finish is the end of every decision: the ledger counts the verdict, and the session is served
// from now on or ends. known: the client has waited, and need not again.
func (s *Session) finish(t *ledger.Tx, known bool) {
	s.leaveInquiry()
	s.dropRequest(t)
	t.CountFor(s.countedAs(), s.event())
	if known {
		s.remember(t)
	}
	switch {
	case s.Verdict == decide.Pass && s.greet == decide.Quiet:
		t.ServePassed(s.token)
	case s.Verdict.Served():
		t.Serve(s.token)
	default:
		s.leave(t)
	}
}

// countApart counts a verdict that could not be counted together with all else. A denied client has
// no record as a rule, and the pages where it might be are not read for it.
func (s *Session) countApart() {
	l := &s.door.Ledger
	if s.Verdict == decide.Denied {
		l.CountUnlocked(int(s.Verdict))
		if s.isObserved() {
			l.CountObserved(int(s.Verdict))
		}
		return
	}
	l.CountUnlockedFor(s.countedAs(), s.event(), l.Now())
}

// countedAs is the network to which the verdict counts: that of the block, if that has refused the
// client when it came.
func (s *Session) countedAs() netip.Prefix {
	if s.Verdict == decide.Blocked && !s.Served() && s.facts().Network.IsValid() {
		return s.facts().Network
	}
	return s.network
}

// event is what the ledger notes of the connection when its verdict is final.
func (s *Session) event() ledger.Event {
	return ledger.Event{Verdict: int(s.shown()), Arrived: !s.entered,
		Refused: s.Verdict.Refuses(), Observed: s.isObserved()}
}

// end refuses the client with this verdict, whether or not the ledger can be used.
func (s *Session) end(v decide.Verdict, known bool) {
	s.Verdict = v
	if s.update(func(t *ledger.Tx) { s.finish(t, known) }) != nil {
		s.countApart()
	}
}

// leave ends the session in the ledger. A token must not be used twice: it may fit another session
// by then.
func (s *Session) leave(t *ledger.Tx) {
	t.Leave(s.token)
	s.token = ledger.Session{}
}

// Fail refuses a client that was to be served, because of trouble of our own, and logs why.
func (s *Session) Fail(why error) {
	s.FailSilently()
	s.logFailure(why)
}

// FailSilently is Fail without a line in the log, which has enough of them.
func (s *Session) FailSilently() { s.end(decide.Failed, false) }

// RefuseBusy ends the wait of a client because the room closes, or has no place for it. With known
// the client had waited long enough, and need not wait again.
func (s *Session) RefuseBusy(waited time.Duration, known bool) {
	s.waited, s.mustEnd = waited, true
	s.end(decide.Busy, known)
}

// Expire refuses a client whose turn has not come in time. It need not wait again.
func (s *Session) Expire(waited, turn time.Duration) {
	s.Verdict, s.greet, s.waited, s.turn = decide.Busy, decide.Quiet, waited, turn
	f, a := s.facts(), s.arrival()
	err := s.update(func(t *ledger.Tx) {
		now := t.LookAgain(a)
		f.Serving, f.Waiting, f.Served, f.Wide = now.Serving, now.Waiting, now.Served, now.Wide
		if f.HasItsShare() && f.Serving < f.Limits.MaxSessions { // the log says why
			s.Verdict = decide.Conns
		}
		s.finish(t, true)
	})
	if err != nil {
		s.countApart()
	}
}

// RefuseIfBlocked refuses a client that waits in a room, for the end of its delay, for its turn or
// for its MTA, if a block has begun on its network. It changes nothing and reports false if none
// has, if the client is allowed by now, or if blocks do not end live sessions.
func (s *Session) RefuseIfBlocked(waited, turn time.Duration) (blocked bool) {
	s.renew()
	if s.policy.Mode == policy.Observe || !s.policy.Block.Kill {
		return false
	}
	return s.refuseIfBlocked(waited, turn)
}

// refuseIfBlocked is RefuseIfBlocked whatever mode and kill say. A process with one client calls it
// when it gets a signal. The sender of the signal has begun the block and has looked at mode and
// kill, or is an administrator who wants the session to end in any case.
func (s *Session) refuseIfBlocked(waited, turn time.Duration) bool {
	if s.facts().IsAllowed() {
		return false
	}
	var block ledger.BlockedNetwork
	var blocked bool
	err := s.update(func(t *ledger.Tx) {
		block, blocked = t.BlockOf(s.Client.Addr(), s.network)
		if blocked = blocked && !s.policy.IgnoresBlock(block.ByHand); blocked {
			s.Verdict = decide.Blocked
			s.finish(t, false)
		}
	})
	if err != nil || !blocked {
		return false // after an error it is asked again when its time is over
	}
	s.facts().SetBlock(block)
	s.greet, s.waited, s.turn, s.mustEnd = decide.Quiet, waited, turn, true
	return true
}
