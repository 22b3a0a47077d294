package wrapper

import (
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// Tests that are observed: the session notes the first that would have refused the client.

// decide is the decision at the door.
func (s *Session) decide() {
	f := s.facts()
	s.Verdict, s.would = f.Decide(), f.Would((*decide.Facts).Decide)
}

// decideAgain is the decision after what the client did.
func (s *Session) decideAgain(counted bool) {
	f := s.facts()
	conclude := func(f *decide.Facts) decide.Verdict { return f.ConcludeFor(s.greet, counted) }
	s.Verdict = conclude(f)
	if s.would == decide.Undecided {
		s.would = f.Would(conclude)
	}
}

// keepShown keeps what the log says of the client's arrival: it is not looked up again, or may have
// changed.
func (s *Session) keepShown(before *ledger.Standing) {
	f := s.facts()
	f.Conns, f.Arrivals, f.WideCounts = before.Conns, before.Arrivals, before.WideCounts
	if s.would == decide.Blocked && !f.Blocked {
		f.BlockLeft, f.Reason = before.BlockLeft, before.Reason
		f.From, f.Network = before.From, before.Network
	}
}

// shown is the verdict that is logged and counted: how an observed test would have refused a client
// that is served.
func (s *Session) shown() decide.Verdict {
	if s.Verdict.Served() && s.would != decide.Undecided {
		return s.would
	}
	return s.Verdict
}

// isObserved says whether that verdict has not refused the client, and would have.
func (s *Session) isObserved() bool { return s.observed() || s.shown() != s.Verdict }
