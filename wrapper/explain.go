package wrapper

import (
	"fmt"
	"net/netip"
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

// Explain tells what would happen to the client if it came now, test by test, without
// counting it. The verdict is the decision's own; nothing here decides. A client that
// would have to wait is told what each behaviour would lead to, and the verdict is that of
// the one that waits.
func (d *Door) Explain(client netip.Addr) (steps []Step, verdict Verdict, f Facts, err error) {
	d.facts(&f, client)
	f.Limits.BadRcptsTotal = f.Rule.Limits.RateOr(allowlist.BadRcptsTotal, d.Config.BadRcptsTotal)
	if d.Ledger != nil {
		a := d.arrival(netip.AddrPortFrom(client, 0), f.Limits)
		a.Limits.BadPer = f.Limits.BadRcptsTotal.Per
		err = d.Ledger.Do(ledger.Now(), func(t *ledger.Tx) { f.Standing = t.Look(a) })
	}
	if verdict = f.Decide(); verdict == Undecided {
		verdict = f.Conclude(Quiet)
	}
	for _, e := range explanations {
		steps = append(steps, Step{e.test, e.found(&f), e.verdict == verdict})
	}
	return steps, verdict, f, err
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
		if !f.Blocked {
			text := fmt.Sprintf("none; strikes in the last day: %d", f.Strikes)
			if total := f.Limits.BadRcptsTotal; total.N > 0 {
				text += fmt.Sprintf("; unknown recipients in %s: %s", config.FormatDuration(total.Per), of(f.BadRcpts, total.N))
			}
			return text
		}
		return fmt.Sprintf("%v for another %v, because of %s", f.Network, Seconds(f.BlockLeft), f.Reason)
	}},
	{Busy, "sessions and load", func(f *Facts) string {
		text := fmt.Sprintf("%s serving, %s waiting", of(f.Serving, f.Limits.MaxSessions), of(f.Waiting, f.Limits.MaxWaiting))
		if f.Limits.RefuseLoad > 0 {
			text += fmt.Sprintf(", load %.2f of %g", f.Load, f.Limits.RefuseLoad)
		}
		return text
	}},
	{Conns, "client_conns", func(f *Facts) string { return of(f.Conns, f.Limits.ClientConns) + " sessions of its network" }},
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
	{Hangup, "leaves within the greet delay", func(f *Facts) string { return "no offence" }},
	{Pregreet, "speaks within the greet delay", func(f *Facts) string { return "refused, and a strike" }},
	{Pass, "quiet to the end", func(f *Facts) string {
		if f.Stressed {
			return fmt.Sprintf("served after %s (stress)", config.FormatDuration(f.Delay()))
		}
		return fmt.Sprintf("served after %s", config.FormatDuration(f.Delay()))
	}},
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
