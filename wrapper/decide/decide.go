package decide

import (
	"time"

	"sendwrap/allowlist"
)

// Greet is what a client did during its greet delay.
type Greet uint8

// The zero Greet is the one that a fault of our own comes to.
const (
	Quiet Greet = iota // waited
	Spoke              // sent at least one byte
	Left               // closed, reset, or closed its own side in silence
)

// Decide is the decision at the door, before any waiting: the first test that applies
// decides. Undecided means that the client has to wait and the greet delay will
// tell; Known that it need not wait unless it has already spoken.
func (f *Facts) Decide() Verdict {
	switch {
	case f.Rule.Access == allowlist.Deny:
		return Denied
	case f.Rule.Access == allowlist.Allow:
		return Allowed
	case f.Blocked:
		return Blocked
	case f.busy():
		return Busy
	case f.crowds(), f.wideCrowds(), f.HasItsShare():
		return Conns
	case f.Limits.ClientRate.N > 0 && f.Arrivals >= f.Limits.ClientRate.N:
		return Rate
	case f.IsKnown():
		return Known
	}
	return Undecided
}

// Conclude is the decision after the greet delay. What the ledger says may have changed meanwhile,
// and the rules, if a room has read its configuration anew; that the client was counted as one of
// its network's sessions and arrivals has not.
func (f *Facts) Conclude(g Greet) Verdict {
	switch {
	case g == Left:
		return Hangup
	case f.Rule.Access == allowlist.Deny:
		return Denied
	case f.Rule.Access == allowlist.Allow:
		return Allowed
	case g == Spoke:
		return Pregreet
	case f.Blocked:
		return Blocked
	case f.Full(), f.Reserved():
		return Busy
	case f.HasItsShare():
		return Conns
	case f.IsKnown():
		return Known
	}
	return Pass
}

// ConcludeFor is Conclude, and the decision at the door as well for a client that could not be
// counted when it arrived.
func (f *Facts) ConcludeFor(g Greet, counted bool) Verdict {
	if v := f.Decide(); !counted && g == Quiet && v.Final() {
		return v
	}
	return f.Conclude(g)
}

func (f *Facts) busy() bool { return f.Full() || f.Reserved() || f.Swamped() }

// Swamped says whether there is a reason to be busy besides the sessions that are served. A full
// waiting room does not make a known client busy, since it does not wait: else a flood of silent
// connections would lock out every good sender.
func (f *Facts) Swamped() bool {
	return f.Waiting >= f.Limits.MaxWaiting && !f.IsKnown() ||
		f.Limits.RefuseLoad > 0 && f.Load >= f.Limits.RefuseLoad
}

// IsKnown says whether the client is known, and the configuration has known clients.
func (f *Facts) IsKnown() bool { return f.Known && f.Limits.Remember > 0 }

// IsTrusted says whether it is known for more than having waited once.
func (f *Facts) IsTrusted() bool { return f.Trusted && f.IsKnown() }

// IsProven says whether the client has shown that it can wait. If it speaks early all the same, it
// need not be spamware: an Exim does so where the MTA has offered it PIPECONNECT. It comes back
// later, without a strike. An attacker gains nothing by that: to speak early never gets it the MTA,
// and to be quiet would.
func (f *Facts) IsProven() bool { return f.Waited && f.Limits.Remember > 0 }

// IsSpared says whether the client need not wait this time, as it has left so often before its
// delay was over. Together it has waited for as long as it would have to now, so that to leave was
// no shorter way than to wait.
func (f *Facts) IsSpared() bool {
	n := f.Limits.Hangups.N
	return n > 0 && !f.IsKnown() && f.Hangups.N >= n && f.Hangups.Waited >= f.Limits.GreetDelay
}

// Delay is how long this client has to wait.
func (f *Facts) Delay() time.Duration {
	switch {
	case f.IsKnown(), f.IsSpared():
		return 0
	case f.Stressed:
		return min(f.Limits.GreetDelay, f.Limits.StressDelay)
	}
	return f.Limits.GreetDelay
}
