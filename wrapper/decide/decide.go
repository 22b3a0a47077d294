package decide

import (
	"time"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/policy"
)

// Greet is what a client did during its greet delay.
type Greet uint8

// After a fault of our own the Greet is the zero one: the client is taken for quiet.
const (
	Quiet Greet = iota // waited
	Spoke              // sent at least one byte
	Left               // closed, reset, or closed its own side in silence
)

// Decide is the decision at the door, before any waiting: the first test that applies decides,
// unless it is observed (see [Facts.Would]). Undecided means that the client has to wait, and that
// its behavior decides; Known that it need not wait unless it has already spoken.
func (f *Facts) Decide() Verdict {
	switch {
	case f.IsDenied():
		return Denied
	case f.byNetwork() == rule.Allow:
		return Allowed
	case f.IsBlocked():
		return Blocked
	case f.busy():
		return Busy
	case f.atConns(), f.scarceWideAtConns(), f.HasItsShare(), f.WideAtConns() >= 0:
		return Conns
	case f.atRate(), f.WideAtRate() >= 0:
		return Rate
	case f.byName() == rule.Deny:
		return Denied
	case f.byName() == rule.Allow:
		return Allowed
	case f.IsKnown():
		return Known
	case f.IsListed():
		return DNSBL
	}
	return Undecided
}

// Conclude is the decision after the greet delay. What the ledger says may have changed meanwhile,
// and so may the rules, if a room has read its configuration again. The limits on the sessions and
// arrivals of its network were checked when it came, and are not checked again.
func (f *Facts) Conclude(g Greet) Verdict {
	switch {
	case g == Left:
		return Hangup
	case f.IsDenied():
		return Denied
	case f.byNetwork() == rule.Allow:
		return Allowed
	case g == Spoke && f.Limits.enforces(policy.OnPregreet):
		return Pregreet
	case f.IsBlocked():
		return Blocked
	case f.byName() == rule.Deny, f.byMap() == rule.Deny: // by its address, as no name has come
		return Denied
	case f.byName() == rule.Allow:
		return Allowed
	case f.IsListed() && !f.IsKnown(): // as Decide has it
		return DNSBL
	case f.Full(), f.Reserved():
		return Busy
	case f.HasItsShare():
		return Conns
	case f.IsKnown():
		return Known
	case f.IsWelcome() && g != Spoke:
		return DNSWL
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

// byNetwork is what the administrator has decided about the client's network, byName what about its
// name: that is less certain, and does not spare the client a block or a limit.
func (f *Facts) byNetwork() rule.Access {
	if f.Rule.Name != "" {
		return rule.Unset
	}
	return f.Rule.Access
}

func (f *Facts) byName() rule.Access {
	if f.Rule.Name == "" {
		return rule.Unset
	}
	return f.Rule.Access
}

// byMap is what the access map says, where sendwrap.conf says nothing. That it does not refuse the
// client only spares it what lists say: see rule.DNSBL among its limits.
func (f *Facts) byMap() rule.Access {
	if f.Rule.Access != rule.Unset {
		return rule.Unset
	}
	return f.Map.Access
}

// mayBeNamed says whether DNS can be asked for the client's name: that comes before what the access
// map says of its address.
func (f *Facts) mayBeNamed() bool { return f.Naming && f.Limits.GreetDelay > 0 }

// IsDenied says whether the client is refused whatever it does: by what was said of its network, or
// by the access map, unless its name may change that.
func (f *Facts) IsDenied() bool {
	return f.byNetwork() == rule.Deny || f.byMap() == rule.Deny && !f.mayBeNamed()
}

// Decider is what allows or denies the client, if anything does.
func (f *Facts) Decider() *rule.Match {
	if f.byMap() != rule.Unset {
		return &f.Map
	}
	return &f.Rule
}

// IsAllowed says whether the client is allowed whatever it does.
func (f *Facts) IsAllowed() bool { return f.byNetwork() == rule.Allow }

// IsListed says whether lists of DNS name the client, and those that have not answered cannot
// change that.
func (f *Facts) IsListed() bool {
	return f.Limits.Threshold > 0 && f.Score.Lowest >= f.Limits.Threshold &&
		f.Limits.enforces(policy.DNSBLThreshold)
}

// IsWelcome says whether lists of DNS spare the client the wait, and those that have not answered
// cannot change that.
func (f *Facts) IsWelcome() bool {
	return f.Limits.Welcome < 0 && f.Score.Highest <= f.Limits.Welcome
}

// IsUnruled says whether the administrator has decided nothing about the client's network.
func (f *Facts) IsUnruled() bool { return f.byNetwork() == rule.Unset }

// EndsWait says whether what DNS has said ends the wait of a quiet client. What the lists say does
// not before its names are known, for which there may be a rule: which of both decides must not
// depend on what comes first.
func (f *Facts) EndsWait() bool {
	return f.byName() != rule.Unset || f.IsDenied() || f.IsKnown() ||
		!f.Naming && (f.IsListed() || f.IsWelcome()) || f.HasLeftOften() && !f.Asking
}

func (f *Facts) busy() bool { return f.Full() || f.Reserved() || f.Overloaded() }

// Overloaded says whether we are too busy for the client for another reason than the sessions that
// are served. A full waiting room is no such reason for a known client, which does not wait: else a
// flood of silent connections would lock out every good sender.
func (f *Facts) Overloaded() bool {
	return f.Waiting >= f.Limits.MaxWaiting && !f.IsKnown() ||
		f.Limits.RefuseLoad > 0 && f.Load >= f.Limits.RefuseLoad
}

// IsKnown says whether the client is known, and the configuration has known clients. One whose
// address the access map refuses is let in for its name, which may not be its own any more: it
// waits while DNS is asked again.
//
//go:noinline // in twenty places it would make the door larger
func (f *Facts) IsKnown() bool {
	return f.Known && f.Limits.Remember > 0 && !(f.byMap() == rule.Deny && f.mayBeNamed())
}

// IsTrusted says whether the client is known for more than having waited once.
func (f *Facts) IsTrusted() bool { return f.Trusted && f.IsKnown() }

// IsPatient says whether the client has shown before that it can wait. If it speaks early this
// time, it need not be spamware: an Exim does so if the MTA has offered it PIPECONNECT. It gets no
// strike, and comes back later. An attacker gains nothing by that: a client that speaks early never
// gets the MTA, and a quiet one does.
func (f *Facts) IsPatient() bool { return f.Waited && f.Limits.Remember > 0 }

// HasLeftOften says whether the client need not wait this time, because it has left often enough
// before its delay was over. In all it has waited for as long as it would have to now, so an
// attacker saves no time by leaving. Lists are asked about it all the same: then it waits for their
// answers.
func (f *Facts) HasLeftOften() bool {
	n := f.Limits.Hangups.N
	return n > 0 && !f.IsKnown() && f.Hangups.N >= n && f.Hangups.Waited >= f.Limits.GreetDelay
}

// Delay is how long this client has to wait.
func (f *Facts) Delay() time.Duration {
	switch {
	case f.IsKnown(), f.HasLeftOften() && !f.Asking, f.IsWelcome() && !f.Naming:
		return 0
	case f.Stressed:
		return min(f.Limits.GreetDelay, f.Limits.StressDelay)
	}
	return f.Limits.GreetDelay
}
