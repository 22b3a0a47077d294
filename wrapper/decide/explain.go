package decide

import (
	"fmt"
	"time"

	"sendwrap/allowlist"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/ledger"
)

// Step is one test of the decision as an administrator reads it.
type Step struct {
	Test    string
	Found   string
	Decides bool
}

// Explain lists the tests in their order, with what each finds and which of them has reached the
// verdict. It decides nothing itself.
func (f *Facts) Explain(v Verdict) (steps []Step) {
	for _, e := range explanations {
		steps = append(steps, Step{e.test, e.found(f), e.verdict == v})
	}
	return steps
}

// explanations say in words what Decide and Conclude look at, in their order.
var explanations = []struct {
	verdict Verdict
	test    string
	found   func(f *Facts) string
}{
	{Denied, "deny network", func(f *Facts) string { return said(f, allowlist.Deny) }},
	{Allowed, "allow network", func(f *Facts) string { return said(f, allowlist.Allow) }},
	{Blocked, "block", func(f *Facts) string {
		if !f.Blocked && f.Own != "" {
			return "none, but by hand: " + f.Own
		}
		if !f.Blocked {
			text := fmt.Sprintf("none; strikes in the last day: %d", f.Strikes)
			if f.Strikes > 0 && f.Reason != "" {
				text += ", the last for " + hinted(f.Reason)
			}
			return text + rcptsTold(f)
		}
		text := fmt.Sprintf("%v for another %v, because of %s",
			f.Network, Seconds(f.BlockLeft), hinted(f.Reason)) + rcptsTold(f)
		if f.Reason == "bad_rcpts" {
			text += "; a relay that passes on wrong names needs a line: client " + f.Network.String() +
				" bad_rcpts_total=100/1h, or bad_rcpts=N bad_rcpts_percent=50"
		}
		return text
	}},
	{Busy, "sessions and load", func(f *Facts) string {
		text := fmt.Sprintf("%s serving, %s waiting", of(f.Serving, f.Limits.MaxSessions), of(f.Waiting, f.Limits.MaxWaiting))
		if f.Limits.RefuseLoad > 0 {
			text += fmt.Sprintf(", load %.2f of %g", f.Load, f.Limits.RefuseLoad)
		}
		return text + reserveTold(f)
	}},
	{Conns, "client_conns", func(f *Facts) string {
		return of(f.Conns, f.Limits.ClientConns) + " sessions of its network" + shareTold(f)
	}},
	{Rate, "client_rate", func(f *Facts) string {
		if f.Limits.ClientRate.N == 0 {
			return "no limit"
		}
		return fmt.Sprintf("%s arrivals of its network in %s", of(f.Arrivals, f.Limits.ClientRate.N), config.FormatDuration(f.Limits.ClientRate.Per))
	}},
	{Known, "known", func(f *Facts) string {
		switch {
		case f.Limits.Remember == 0:
			return "nobody is (remember 0)"
		case f.Known:
			return "yes: served at once, unless it has already spoken"
		}
		return "no"
	}},
	{Hangup, "leaves within the greet delay", func(f *Facts) string { return "no offence" + hangupsTold(f) }},
	{Pregreet, "speaks within the greet delay", func(f *Facts) string {
		if f.IsProven() {
			return "421 and no strike: it has shown that it can wait"
		}
		if f.Own != "" {
			return "refused without a strike: " + f.Own
		}
		return "refused; strikes: " + f.Limits.Strikes.String()
	}},
	{Pass, "quiet to the end", func(f *Facts) string {
		if f.IsSpared() {
			return "served at once, this time: it has left quietly so often"
		}
		if f.Stressed {
			return fmt.Sprintf("served after %s (stress)", config.FormatDuration(f.Delay()))
		}
		return fmt.Sprintf("served after %s", config.FormatDuration(f.Delay()))
	}},
}

// hinted is a reason, and what to do about it.
func hinted(reason string) string {
	if hint := Hint(reason); hint != "" {
		return reason + " (" + hint + ")"
	}
	return reason
}

// rcptsTold tells of the recipients of the network that the guard has counted; "" if it does not.
func rcptsTold(f *Facts) string {
	total := f.Limits.BadRcptsTotal
	if total.N == 0 {
		return ""
	}
	return fmt.Sprintf("; unknown recipients in %s: %s, accepted ones %d",
		config.FormatDuration(total.Per), of(f.Rcpts.Bad, total.N), f.Rcpts.Good)
}

// hangupsTold tells how often the network has done so, and what for; "" if that counts for nothing.
func hangupsTold(f *Facts) string {
	n := f.Limits.Hangups
	if n.N == 0 || f.IsKnown() || f.Hangups.N == 0 {
		return ""
	}
	return fmt.Sprintf("; %s in %s, %v of %s waited in all: with both it is let in at once, once",
		of(f.Hangups.N, n.N), config.FormatDuration(n.Per), f.Hangups.Waited,
		config.FormatDuration(f.Limits.GreetDelay))
}

// reserveTold tells of the places that are kept, once no others are left.
func reserveTold(f *Facts) string {
	switch {
	case f.Full() || !f.taken(100-f.Limits.Reserve):
		return ""
	case f.lastOnes() && f.IsTrusted():
		return "; the last are for " + trustedOnes + ", as this one"
	case f.lastOnes():
		return "; the last are for " + trustedOnes
	case f.IsKnown():
		return fmt.Sprintf("; the last %d %% are for known clients, as this one", f.Limits.Reserve)
	case f.Reserved():
		return fmt.Sprintf("; the last %d %% are for known clients, and for networks with none, but its has %d",
			f.Limits.Reserve, f.served())
	}
	return fmt.Sprintf("; the last %d %% are for networks with none, as its own", f.Limits.Reserve)
}

// shareTold tells how many places the network may have, and the wider one around it, while they are
// scarce.
func shareTold(f *Facts) (text string) {
	if n := f.Share(); n > 0 {
		text = fmt.Sprintf(", %s with an MTA, as places are scarce", of(f.Served, n))
	}
	if f.Wide.Conns > f.Conns && f.Limits.shares() {
		text += fmt.Sprintf("; of its /%d %s", ledger.WideBits, of(f.Wide.Conns, f.Limits.ClientConns))
		if n := f.Share(); n > 0 {
			text += fmt.Sprintf(", %s with an MTA", of(f.Wide.Served, n))
		}
	}
	return text
}

// said tells what the configuration says about the client if it is the access given.
func said(f *Facts, a allowlist.Access) string {
	if f.Rule.Access != a {
		return "none holds it"
	}
	return fmt.Sprintf("%v (%v)", f.Rule.Network, f.Rule.Source)
}

// Seconds is a duration for people: to the second, with units.
func Seconds(d time.Duration) string { return config.FormatDuration(d.Truncate(time.Second)) }

// of is a count beside its limit.
func of(n, limit int) string {
	if limit == 0 {
		return fmt.Sprintf("%d", n)
	}
	return fmt.Sprintf("%d of %d", n, limit)
}
