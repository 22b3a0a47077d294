package guard

import (
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/policy"
)

// noteObserved logs, once a session, how an observed limit would have refused the client; Undecided
// if none would.
func (s *session) noteObserved(v decide.Verdict) {
	if v != decide.Undecided && !s.observed[v] {
		s.observed[v] = true
		enforced := s.facts.AsEnforced()
		s.logVerdict(v, "", activeBlock{}, &enforced)
	}
}

// loggedCode is the code of a reply as logVerdict needs it.
func (s *session) loggedCode(code string) string {
	if s.config.Mode == policy.Observe {
		return ""
	}
	return code
}
