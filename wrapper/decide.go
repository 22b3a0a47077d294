package wrapper

import (
	"time"

	"sendwrap/allowlist"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/ledger"
)

// Facts are all that a decision looks at.
type Facts struct {
	ledger.Standing                 // zero while there is no ledger: nobody known, nothing counted
	Rule            allowlist.Match // what the administrator said about the client
	Load            float64         // 1-minute load average; 0 unless refuse_load is set
	Limits          Limits
}

// Limits are the numbers of the configuration as they hold for one client.
type Limits struct {
	MaxSessions int
	MaxWaiting  int
	RefuseLoad  float64 // 0 = none
	ClientConns int     // 0 = none
	ClientRate  allowlist.Rate
	GreetDelay  time.Duration
	StressDelay time.Duration
	Remember    time.Duration // 0 = nobody is known

	BadRcptsTotal allowlist.Rate // the guard's; nothing is decided by it here
}

// limitsFor are the configured numbers, with what the client lines that hold
// the client say instead.
func limitsFor(c *config.Config, inRoom bool, said allowlist.Limits) Limits {
	l := Limits{
		MaxSessions: c.MaxSessions, MaxWaiting: c.MaxWaiting, RefuseLoad: c.RefuseLoad,
		ClientConns: said.CountOr(allowlist.ClientConns, c.ClientConns),
		ClientRate:  said.RateOr(allowlist.ClientRate, c.ClientRate),
		GreetDelay:  said.TimeOr(allowlist.GreetDelay, c.GreetDelay),
		StressDelay: c.StressDelay, Remember: c.Remember,
	}
	if inRoom {
		l.MaxWaiting = c.RoomWaiting
	}
	return l
}

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
	case f.Limits.ClientConns > 0 && f.Conns >= f.Limits.ClientConns:
		return Conns
	case f.Limits.ClientRate.N > 0 && f.Arrivals >= f.Limits.ClientRate.N:
		return Rate
	case f.known():
		return Known
	}
	return Undecided
}

// Conclude is the decision after the greet delay. What the ledger says may have changed
// meanwhile; that the client was counted as one of its network's sessions and arrivals has not.
func (f *Facts) Conclude(g Greet) Verdict {
	switch {
	case g == Left:
		return Hangup
	case g == Spoke:
		return Pregreet
	case f.Rule.Access == allowlist.Deny: // since a room has read its configuration anew
		return Denied
	case f.Blocked:
		return Blocked
	case f.Serving >= f.Limits.MaxSessions:
		return Busy
	case f.known():
		return Known
	}
	return Pass
}

// busy does not hold a full waiting room against a known client, who does not wait:
// else a flood of silent connections would lock out every good sender.
func (f *Facts) busy() bool {
	return f.Serving >= f.Limits.MaxSessions ||
		f.Waiting >= f.Limits.MaxWaiting && !f.known() ||
		f.Limits.RefuseLoad > 0 && f.Load >= f.Limits.RefuseLoad
}

func (f *Facts) known() bool { return f.Known && f.Limits.Remember > 0 }

// Delay is how long this client has to wait.
func (f *Facts) Delay() time.Duration {
	switch {
	case f.known():
		return 0
	case f.Stressed:
		return min(f.Limits.GreetDelay, f.Limits.StressDelay)
	}
	return f.Limits.GreetDelay
}
