package decide

import (
	"testing"
	"time"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/dnsbl"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/policy"
)

// Each test that applies is observed, one after the other: it is noted, and the next decides.
func TestObserved(t *testing.T) {
	f := Facts{
		Standing: ledger.Standing{
			Conns: 50, Arrivals: 10, Blocked: true, WideCounts: wideCounts,
		},
		Score: dnsbl.Score{Sum: 3, Lowest: 3, Highest: 3},
		Limits: Limits{
			MaxSessions: 300, MaxWaiting: 1000, ClientConns: 50, Threshold: 3,
			ClientRate: rule.Rate{N: 10, Per: time.Minute}, GreetDelay: 6 * time.Second,
			Wide: wideLimits,
		},
	}
	for _, s := range []struct {
		observe     policy.Observed
		want, would Verdict
		then        func()
	}{
		{0, Blocked, Undecided, func() {}},
		{policy.Blocks, Conns, Blocked, func() { f.ByHand = true }},
		{0, Blocked, Blocked, func() { f.Blocked = false }},
		{policy.ClientConns, Conns, Conns, func() {}},
		{policy.WideLine(0) | policy.WideLine(1), Rate, Conns, func() { f.Serving = 300 }},
		{0, Busy, Busy, func() { f.Serving, f.Conns, f.WideCounts = 0, 0, wideCounts }},
		{0, Rate, Conns, func() { f.WideCounts = [ledger.MaxWide]ledger.WideCount{} }},
		{policy.ClientRate, DNSBL, Rate, func() { f.Arrivals = 0 }},
		{policy.DNSBLThreshold, Undecided, DNSBL, func() { f.Score = dnsbl.Score{} }},
		{0, Undecided, Undecided, func() {}},
	} {
		f.Limits.Observed |= s.observe
		if v, would := f.Decide(), f.Would((*Facts).Decide); v != s.want || would != s.would {
			t.Errorf("observed %b: %v, would be %v; want %v and %v",
				f.Limits.Observed, v, would, s.want, s.would)
		}
		s.then()
	}
}

// A client that spoke early, and is not refused for it, meets all other tests. No list spares it
// the wait that it has not kept, and it is not taken for one that has left.
func TestObservedPregreet(t *testing.T) {
	f := Facts{Limits: Limits{
		MaxSessions: 300, MaxWaiting: 1000, GreetDelay: 6 * time.Second, Welcome: -1,
		Observed: policy.OnPregreet,
	}}
	f.Score = dnsbl.Score{Sum: -1, Lowest: -1, Highest: -1}
	spoke := func(f *Facts) Verdict { return f.Conclude(Spoke) }
	for _, s := range []struct {
		change      func()
		want, would Verdict
	}{
		{func() {}, Pass, Pregreet},
		{func() { f.Serving = 300 }, Busy, Pregreet},
		{func() { f.Blocked = true }, Blocked, Pregreet},
		{func() { f.Rule.Access = rule.Deny }, Denied, Denied},
		{func() { f.Rule.Access = rule.Allow }, Allowed, Undecided},
	} {
		s.change()
		if v, would := spoke(&f), f.Would(spoke); v != s.want || would != s.would {
			t.Errorf("%v, would be %v; want %v and %v", v, would, s.want, s.would)
		}
	}
}

// The guard's limits, one after the other.
func TestObservedRecipients(t *testing.T) {
	limits := Limits{BadRcpts: 3, BadRcptsTotal: rule.Rate{N: 10, Per: time.Hour}, MaxResets: 20,
		MaxRcpts: 100, Bounces: 3}
	limits.WideRcpts[1] = rule.Rate{N: 50, Per: time.Hour}
	f := Recipients{Bad: 3, Total: 10, Resets: 21, Rcpts: 101, Limits: &limits}
	f.Wide[1].Bad = 50
	for _, s := range []struct {
		observe     policy.Observed
		want, would Verdict
	}{
		{policy.BadRcpts, BadRcpts, BadRcpts},
		{policy.BadRcptsTotal, BadRcpts, BadRcpts},
		{policy.WideLine(1), Resets, BadRcpts},
		{policy.MaxResets, MaxRcpts, BadRcpts},
		{policy.MaxRcpts, Undecided, BadRcpts},
	} {
		limits.Observed |= s.observe
		if v, would := f.Decide(), f.Would(); v != s.want || would != s.would {
			t.Errorf("observed %b: %v, would be %v; want %v and %v",
				limits.Observed, v, would, s.want, s.would)
		}
	}
	if f.Offends() {
		t.Error("what is observed alone is an offence")
	}
	f.Null, f.Bounces = true, 3
	if f.BouncesGuess() {
		t.Error("the null sender guesses, though bad_rcpts is observed")
	}
	limits.BadRcpts, limits.Observed = 0, policy.BadRcpts
	if !f.BouncesGuess() {
		t.Error("the null sender's limit is that of bad_rcpts_total, which is enforced")
	}
}
