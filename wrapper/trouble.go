package wrapper

import (
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// Account is the last step but the reply, once it is decided whether the client is served: it logs
// the connection (see log), and counts what has gone wrong with it.
func (s *Session) Account(mta int) {
	s.log(mta)
	count := func(t ledger.Trouble) { s.door.Ledger.CountTrouble(t, 1) }
	if s.facts().IsKnown() && !s.Served() && s.Verdict != decide.Hangup {
		count(ledger.KnownRefused)
	}
	if s.unheard() {
		count(ledger.DNSSilent)
	}
	if err := s.door.Unread; err != nil {
		count(ledger.RulesUnread)
		s.door.WarnAgain([]string{err.Error() + "; rules for names did not hold; " +
			"the next client has that file made again"})
	}
}

// unheard says whether the client has passed although no server of DNS has answered.
func (s *Session) unheard() bool {
	return s.Verdict == decide.Pass && s.heard != nil && !s.heard.result.Heard
}
