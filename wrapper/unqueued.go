package wrapper

import (
	"time"

	"sendwrap/allowlist"
	"sendwrap/wrapper/ledger"
)

// Clients that need not queue for the ledger.

// barred refuses a client that the configuration denies or that is blocked already, without the
// ledger's lock: an attacker that comes with hundreds at a time is the cheapest to refuse, and no
// rival of those that queue. It reports false, and nothing is decided, if the client is neither, or
// if that cannot be seen just now.
func (s *Session) barred(a ledger.Arrival) bool {
	switch s.facts.Rule.Access {
	case allowlist.Allow:
		return false
	case allowlist.Unset:
		if s.door.Ledger == nil {
			return false
		}
		is, _ := s.door.Ledger.Peek(ledger.Now(), a)
		if !is.Blocked {
			return false
		}
		s.facts.Standing = is
	}
	s.Verdict = s.facts.Decide()
	s.door.countApart(s.Verdict)
	return true
}

// patience is how long the client waits for its turn at the ledger while others get theirs; 0 = as
// long as anybody. One that is allowed has nothing to fear from what the ledger says: in a crowd it
// is served uncounted rather than late.
func (s *Session) patience() time.Duration {
	if s.facts.Rule.Access == allowlist.Allow {
		return ledger.Patience
	}
	return 0
}

// inLedgerWithin is inLedger for one that waits no longer than so long while others get their
// turns; 0 = as long as anybody.
func (d *Door) inLedgerWithin(patience time.Duration, work func(*ledger.Tx)) error {
	l := d.Ledger
	if l == nil || patience <= 0 {
		return d.inLedger(work)
	}
	usual, rest := l.CrowdPatience, d.pause.until
	l.CrowdPatience = patience
	err := d.inLedger(work)
	l.CrowdPatience = usual
	if err == ledger.ErrCrowded { // others need not leave the ledger alone for that
		d.pause.until = rest
	}
	return err
}
