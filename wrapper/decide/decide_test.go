package decide

import (
	"net/netip"
	"testing"
	"time"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/dnsbl"
	"sendwrap/wrapper/ledger"
)

// Two wide networks that are at their limits.
var (
	wideLimits = [ledger.MaxWide]ledger.WideLimits{{Conns: 60, Rate: 20}, {Conns: 70, Rate: 30}}
	wideCounts = [ledger.MaxWide]ledger.WideCount{
		{Conns: 60, Arrivals: 20}, {Conns: 70, Arrivals: 30},
	}
)

// All tests at the door apply at first. When they are taken away one by one, the verdicts come in
// the promised order.
func TestDecideOrder(t *testing.T) {
	f := Facts{
		Standing: ledger.Standing{
			Serving: 300, Waiting: 1000, Conns: 50, Arrivals: 10, Served: 3,
			Known: true, Trusted: true, Blocked: true, Wide: ledger.Wide{Conns: 50, Served: 3},
			WideCounts: wideCounts,
		},
		Rule: rule.Match{
			Access: rule.Deny, Network: netip.MustParsePrefix("192.0.2.0/24"),
		},
		Score: dnsbl.Score{Sum: 3, Lowest: 3, Highest: 3},
		Limits: Limits{
			MaxSessions: 300, MaxWaiting: 1000, ClientConns: 50, Reserve: 20, Remember: time.Hour,
			ClientRate: rule.Rate{N: 10, Per: time.Minute},
			GreetDelay: 6 * time.Second, StressDelay: 2 * time.Second, Threshold: 3,
			Wide: wideLimits,
		},
	}
	steps := []struct {
		want Verdict
		then func()
	}{
		{Denied, func() { f.Rule.Access = rule.Allow }},
		{Allowed, func() { f.Rule.Name = ".example.com" }}, // less certain than a network
		{Blocked, func() { f.Blocked = false }},
		{Busy, func() { f.Serving-- }},
		{Conns, func() { f.Conns-- }},
		{Conns, func() { f.Served-- }},     // at 299 of 300 it may have 3
		{Conns, func() { f.Wide.Conns-- }}, // so for the wide network
		{Conns, func() { f.Wide.Served-- }},
		{Conns, func() { f.WideCounts[0].Conns-- }}, // those with limits of their own
		{Conns, func() { f.WideCounts[1].Conns-- }},
		{Rate, func() { f.Arrivals-- }},
		{Rate, func() { f.WideCounts[0].Arrivals-- }},
		{Rate, func() { f.WideCounts[1].Arrivals-- }},
		{Allowed, func() { f.Rule.Access = rule.Deny }},
		{Denied, func() { f.Rule = rule.Match{} }},
		{Known, func() { f.Trusted = false }},
		{Busy, func() { f.Serving = 284 }}, // the last of the reserve are for trusted ones
		{Known, func() { f.Known = false }},
		{Busy, func() { f.Waiting-- }},       // which a known client does not mind
		{Busy, func() { f.Served = 0 }},      // the reserve, of which it may have some
		{Busy, func() { f.Serving = 239 }},   // since its wide network has a place
		{DNSBL, func() { f.Score.Lowest-- }}, // a list that has not answered may speak for it
		{Undecided, func() { f.Serving++ }},  // any client may have one of the rest
		{Busy, func() { f.Wide.Served = 0 }}, // but only newcomers of the reserve
		{Undecided, func() { f.Limits.RefuseLoad, f.Load = 4, 4 }},
		{Busy, func() {}},
	}
	for i, s := range steps {
		if got := f.Decide(); got != s.want {
			t.Errorf("step %d: %v, want %v", i, got, s.want)
		}
		s.then()
	}
}

// The log names the network that has decided: a wide one only if no limit of the client's own
// network, nor the share that it has, would have refused it; the narrower one of two.
func TestDecidedByWide(t *testing.T) {
	f := Facts{
		Standing: ledger.Standing{
			Serving: 300, Conns: 50, Arrivals: 10, Served: 3,
			Wide:       ledger.Wide{Conns: 50, Served: 3},
			WideCounts: wideCounts,
		},
		Limits: Limits{
			MaxSessions: 300, MaxWaiting: 1000, ClientConns: 50,
			ClientRate: rule.Rate{N: 10, Per: time.Minute},
			Wide:       wideLimits,
		},
	}
	for i, s := range []struct {
		conns, rate int
		then        func()
	}{
		{-1, -1, func() { f.Conns-- }},
		{-1, -1, func() { f.Served-- }},
		{-1, -1, func() { f.Wide.Conns-- }},
		{-1, -1, func() { f.Wide.Served--; f.Arrivals-- }},
		{0, 0, func() { f.WideCounts[0].Conns-- }},
		{1, 0, func() { f.WideCounts[0].Arrivals-- }},
		{1, 1, func() { f.Limits.Wide[1].Conns = 0 }},
		{-1, 1, func() { f.Limits.Wide[1].Rate = 0 }},
		{-1, -1, func() {}},
	} {
		if conns, rate := f.DecidedByWide(Conns), f.DecidedByWide(Rate); conns != s.conns ||
			rate != s.rate || f.DecidedByWide(Busy) != -1 {
			t.Errorf("step %d: %d, %d; want %d, %d", i, conns, rate, s.conns, s.rate)
		}
		s.then()
	}
}

// At the limit of a wide network no session of another ends for the client, and no process talks
// to it.
func TestWideLimitLeavesOthersAlone(t *testing.T) {
	f := Facts{
		Standing: ledger.Standing{
			Serving: 3, WideCounts: [ledger.MaxWide]ledger.WideCount{{}, {Conns: 2}},
		},
		Limits: Limits{MaxSessions: 3, MaxWaiting: 100,
			Wide: [ledger.MaxWide]ledger.WideLimits{{}, {Conns: 2}}},
	}
	for _, want := range []bool{false, true} {
		if f.WantsPlace() != want || f.MayTalk() != want {
			t.Errorf("%v, %v; want %v", f.WantsPlace(), f.MayTalk(), want)
		}
		f.WideCounts[1].Conns--
	}
}

func TestConcludeOrder(t *testing.T) {
	f := Facts{
		Standing: ledger.Standing{
			Serving: 300, Waiting: 1000, Conns: 50, Arrivals: 10, Served: 3,
			Known: true, Trusted: true, Blocked: true, Wide: ledger.Wide{Conns: 50, Served: 3},
		},
		Limits: Limits{
			MaxSessions: 300, MaxWaiting: 1000, ClientConns: 50, Reserve: 20, Remember: time.Hour,
			ClientRate: rule.Rate{N: 10, Per: time.Minute}, Threshold: 3, Welcome: -2,
		},
	}
	if got := f.Conclude(Left); got != Hangup {
		t.Errorf("left: %v", got)
	}
	for access, want := range map[rule.Access]Verdict{
		rule.Deny: Denied, rule.Allow: Allowed,
	} {
		f.Rule.Access = access
		for g, want := range map[Greet]Verdict{Quiet: want, Spoke: want, Left: Hangup} {
			if got := f.Conclude(g); got != want {
				t.Errorf("greet %d: %v, want %v", g, got, want)
			}
		}
	}
	f.Rule.Access = rule.Unset
	if got := f.Conclude(Spoke); got != Pregreet {
		t.Errorf("spoke: %v", got)
	}
	for _, s := range []struct {
		want Verdict
		then func()
	}{
		{Blocked, func() {
			f.Blocked, f.Rule = false, rule.Match{Access: rule.Deny, Name: "a.example"}
		}},
		{Denied, func() { f.Rule.Access = rule.Allow }},
		{Allowed, func() { f.Rule = rule.Match{}; f.Score.Sum, f.Score.Lowest = 3, 3 }},
		{Busy, func() { f.Known = false }}, // a known client is asked about by nobody
		{DNSBL, func() { f.Known = true; f.Score = dnsbl.Score{Sum: -2, Lowest: -2, Highest: -2} }},
		{Busy, func() { f.Serving-- }},
		{Conns, func() { f.Served-- }},
		{Conns, func() { f.Wide.Served-- }},
		{Known, func() { f.Limits.Remember = 0 }}, // its own arrival does not count against it
		{Busy, func() { f.Serving = 284 }},        // no client is trusted then
		{Busy, func() { f.Served, f.Wide.Served = 0, 0 }},
		{DNSWL, func() { f.Score.Highest++ }}, // a list that has not answered may speak against it
		{Pass, func() {}},
	} {
		if got := f.Conclude(Quiet); got != s.want {
			t.Errorf("%v, want %v", got, s.want)
		}
		s.then()
	}
}

func TestZeroLimitsAreNone(t *testing.T) {
	f := Facts{
		Standing: ledger.Standing{Conns: 1 << 20, Arrivals: 1 << 20, Known: true},
		Limits:   Limits{MaxSessions: 1, MaxWaiting: 1},
		Load:     1000,
		Score:    dnsbl.Score{Sum: -99, Lowest: 99, Highest: -99},
	}
	if got := f.Decide(); got != Undecided {
		t.Errorf("%v: client_conns, client_rate, refuse_load and remember of 0 must not decide",
			got)
	}
}

func TestDelay(t *testing.T) {
	limits := Limits{GreetDelay: 6 * time.Second, StressDelay: 2 * time.Second, Remember: time.Hour}
	longStress := limits
	longStress.GreetDelay = time.Second // a client line may ask for less than stress does
	tests := []struct {
		name string
		f    Facts
		want time.Duration
	}{
		{"stranger", Facts{Limits: limits}, 6 * time.Second},
		{"crowded", Facts{Limits: limits, Standing: ledger.Standing{Stressed: true}},
			2 * time.Second},
		{"crowded, short delay", Facts{Limits: longStress,
			Standing: ledger.Standing{Stressed: true}}, time.Second},
		{"known", Facts{Limits: limits, Standing: ledger.Standing{Known: true}}, 0},
	}
	for _, tt := range tests {
		if got := tt.f.Delay(); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// What lists say ends no wait while the names of the client, for which there may be a rule, are not
// known: else it would depend on which answer comes first whether a denied client is served.
func TestNamesBeforeLists(t *testing.T) {
	limits := Limits{GreetDelay: 6 * time.Second, Threshold: 3, Welcome: -2}
	for _, sum := range []int{3, -2} {
		f := Facts{Limits: limits, Score: dnsbl.Score{Sum: sum, Lowest: sum, Highest: sum}}
		f.Asking, f.Naming = true, true
		if f.EndsWait() || f.Delay() != limits.GreetDelay {
			t.Errorf("score %d: decided before the names are known", sum)
		}
		f.Naming = false
		if !f.EndsWait() {
			t.Errorf("score %d: not decided", sum)
		}
		f.Naming, f.Rule = true, rule.Match{Access: rule.Deny, Name: "a.example"}
		if !f.EndsWait() {
			t.Errorf("score %d: not decided by name", sum)
		}
	}
}
