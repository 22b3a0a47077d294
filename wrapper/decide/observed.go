package decide

import "sendwrap/wrapper/policy"

// Observed tests: what they would refuse is noted, and the next test decides. If no test that is
// enforced refuses the client either, the log and the counts have the first of them.

// enforces says whether what the directive would refuse is refused; else it is only noted.
func (l *Limits) enforces(directive policy.Observed) bool { return !l.Observed.Has(directive) }

// Would is how this decision, Decide or Conclude, would refuse the client if no test were observed;
// Undecided if it would not, or if none is observed. If the client is not refused at all, that is
// the verdict of the first observed test that would have refused it.
func (f *Facts) Would(decide func(*Facts) Verdict) (refusal Verdict) {
	if f.Limits.Observed == 0 {
		return Undecided
	}
	if refusal = decide(f.AsEnforced()); !refusal.Refuses() {
		return Undecided
	}
	return refusal
}

// AsEnforced is a copy with limits of which none is observed.
func (f *Facts) AsEnforced() *Facts {
	enforced := *f
	enforced.Limits.Observed = 0
	return &enforced
}

// observedLine names the line of an observed test that would refuse the client with this verdict;
// "" if no such test reaches it.
func (f *Facts) observedLine(v Verdict) (name string) {
	switch wide := f.AsEnforced().DecidedByWide(v); {
	case wide >= 0:
		return "wide " + f.Limits.Wide[wide].Network.String()
	case v == Blocked:
		return "block"
	case v == Conns:
		return "client_conns"
	case v == Rate:
		return "client_rate"
	case v == DNSBL:
		return "dnsbl_threshold"
	}
	return ""
}
