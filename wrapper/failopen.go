package wrapper

import (
	"errors"

	"sendwrap/wrapper/ledger"
)

// failOpen is why a client met no limits, or could do what it liked, for our own trouble. The log
// says so in its line, since a ledger that cannot be used counts nothing.
type failOpen uint8

const (
	notOpen failOpen = iota
	noLedger
	ledgerStopped
	ledgerHeld
	ledgerCrowded
	unseen
	rulesUnread
	unrecorded
	wideUncounted
)

// String is the word for programs, which is that of the metrics.
func (o failOpen) String() string {
	return [...]string{"", "no_ledger", "ledger_stopped", "ledger_held", "ledger_crowded", "unseen",
		"rules_unread", "unrecorded", "wide_uncounted"}[o]
}

// count counts the client's arrival and its session in the ledger. It notes what cannot be counted.
func (s *Session) count(t *ledger.Tx, a ledger.Arrival) {
	s.token, s.entered = t.Enter(a, s.door.Process)
	switch network, wide := t.Uncounted(); {
	case s.open != notOpen:
	case network:
		s.open = unrecorded
	case wide:
		s.open = wideUncounted
	}
}

// without notes that the client is served and was not held against any limit, because of this error
// of the ledger.
func (s *Session) without(err error) {
	held := (*ledger.HeldError)(nil)
	switch {
	case err == ledger.ErrCrowded:
		s.open = ledgerCrowded
	case !errors.As(err, &held):
		s.open = noLedger
	case held.Stopped:
		s.open = ledgerStopped
	default:
		s.open = ledgerHeld
	}
	s.door.Ledger.CountFailOpen(err)
}

// whyOpen is that for the log.
func (s *Session) whyOpen() failOpen {
	if s.open == notOpen && s.door.Unread != nil {
		return rulesUnread
	}
	return s.open
}
