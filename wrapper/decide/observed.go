package decide

import "sendwrap/wrapper/policy"

// Observed tests: what they would refuse is noted, and the next test decides. If no test that is
// enforced refuses the client either, the log and the counts have the first of them.

// observes says whether what the directive would refuse is only noted.
func (f *Facts) observes(directive policy.Observed) bool { return f.Limits.Observed.Has(directive) }

// Would is how this decision, Decide or Conclude, would refuse the client if no test were observed;
// Undecided if it would not, or if none is observed. If the client is not refused at all, that is
// the verdict of the first observed test that would have refused it.
func (f *Facts) Would(decide func() Verdict) (refusal Verdict) {
	f.asEnforced(func() { refusal = decide() })
	if !refusal.Refuses() {
		return Undecided
	}
	return refusal
}

// asEnforced runs a question as if no test were observed; it does not run it if none is.
func (f *Facts) asEnforced(ask func()) {
	if observed := f.Limits.Observed; observed != 0 {
		f.Limits.Observed = 0
		ask()
		f.Limits.Observed = observed
	}
}

// observedLine names the line of an observed test that would refuse the client with this verdict;
// "" if no such test reaches it.
func (f *Facts) observedLine(v Verdict) (name string) {
	wide := -1
	f.asEnforced(func() { wide = f.DecidedByWide(v) })
	switch {
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
