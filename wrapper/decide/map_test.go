package decide

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/dnsbl"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/policy"
)

var mapDenies = rule.Match{
	Access: rule.Deny, Network: netip.MustParsePrefix("192.0.2.0/24"),
	Source: rule.Source{File: "access", Line: 7}, Key: "Connect:192.0.2", Reply: "550 no",
}

// What the access map refuses is refused before all tests of a client, whatever it does, but behind
// what sendwrap.conf says. While a name may come that the map has, too, it is not refused yet.
func TestMapOrder(t *testing.T) {
	worst := ledger.Standing{Serving: 300, Waiting: 1000, Conns: 50, Arrivals: 10, Blocked: true}
	limits := Limits{MaxSessions: 300, MaxWaiting: 1000, ClientConns: 50, Remember: time.Hour,
		ClientRate: rule.Rate{N: 10, Per: time.Minute}, GreetDelay: time.Second}
	network := netip.MustParsePrefix("192.0.2.0/24")
	for name, tt := range map[string]struct {
		change                func(f *Facts)
		arrives, quiet, spoke Verdict
		ends, isDenied        bool // the wait; whatever it does
		ruleDecides           bool // and not the map
	}{
		"by address": {func(*Facts) {}, Denied, Denied, Denied, true, true, false},
		"known": {func(f *Facts) { f.Known = true },
			Denied, Denied, Denied, true, true, false},
		"a name may come": {func(f *Facts) { f.Naming = true },
			Blocked, Blocked, Pregreet, false, false, false},
		"a name may come, nothing else": {func(f *Facts) {
			f.Naming, f.Standing = true, ledger.Standing{}
		}, Undecided, Denied, Pregreet, false, false, false},
		"no delay, no name": {func(f *Facts) { f.Naming, f.Limits.GreetDelay = true, 0 },
			Denied, Denied, Denied, true, true, false},
		"known by its name": {func(f *Facts) {
			f.Naming, f.Standing = true, ledger.Standing{Known: true}
		}, Undecided, Denied, Pregreet, false, false, false},
		"known, and its name has come": {func(f *Facts) {
			f.Map, f.Standing = rule.Match{Access: rule.Allow}, ledger.Standing{Known: true}
		}, Known, Known, Pregreet, true, false, false},
		"network allowed": {func(f *Facts) {
			f.Rule = rule.Match{Access: rule.Allow, Network: network}
		}, Allowed, Allowed, Allowed, false, false, true},
		"network denied": {func(f *Facts) {
			f.Naming, f.Rule = true, rule.Match{Access: rule.Deny, Network: network}
		}, Denied, Denied, Denied, true, true, true},
		"name allowed": {func(f *Facts) {
			f.Standing, f.Rule = ledger.Standing{}, rule.Match{Access: rule.Allow, Name: ".example"}
		}, Allowed, Allowed, Pregreet, true, false, true},
		"OK": {func(f *Facts) { f.Map.Access = rule.Allow },
			Blocked, Blocked, Pregreet, false, false, false},
	} {
		f := Facts{Standing: worst, Limits: limits, Map: mapDenies}
		tt.change(&f)
		if v := f.Decide(); v != tt.arrives {
			t.Errorf("%s: arrives: %v; want %v", name, v, tt.arrives)
		}
		if v := f.Conclude(Quiet); v != tt.quiet {
			t.Errorf("%s: quiet: %v; want %v", name, v, tt.quiet)
		}
		if v := f.Conclude(Spoke); v != tt.spoke {
			t.Errorf("%s: spoke: %v; want %v", name, v, tt.spoke)
		}
		if v := f.Conclude(Left); v != Hangup {
			t.Errorf("%s: left: %v", name, v)
		}
		if f.EndsWait() != tt.ends || f.IsDenied() != tt.isDenied {
			t.Errorf("%s: ends the wait: %v, denied: %v", name, f.EndsWait(), f.IsDenied())
		}
		if decides := f.Decider() == &f.Rule; decides != tt.ruleDecides {
			t.Errorf("%s: sendwrap.conf decides: %v", name, decides)
		}
	}
}

// Each limit comes from sendwrap.conf's line, else from the map, else from the directive; what the
// map says OK of is not asked about, unless sendwrap.conf wants it.
func TestMapLimits(t *testing.T) {
	settings := policy.Default()
	settings.Lists = append(settings.Lists, dnsbl.List{Zone: "a.example"})
	var f Facts
	f.Map.Limits.SetTime(rule.GreetDelay, time.Second)
	f.Map.Limits.SetRate(rule.ClientRate, rule.Rate{})
	f.Map.Limits.SetCount(rule.DNSBL, 0)
	f.Rule.Limits.SetTime(rule.GreetDelay, 3*time.Second)
	settings.ClientRate, settings.ClientConns = rule.Rate{N: 1, Per: time.Second}, 7
	f.SetLimits(&settings, false)
	if l := &f.Limits; l.GreetDelay != 3*time.Second || l.ClientRate.N != 0 || l.ClientConns != 7 ||
		l.FixedConns || l.AsksLists {
		t.Errorf("%+v", f.Limits)
	}
	f.Rule.Limits.SetCount(rule.DNSBL, 1)
	if f.SetLimits(&settings, false); !f.Limits.AsksLists {
		t.Error("dnsbl=on of a client line does not hold")
	}
}

// The step of the access map is there if there is one, and says which key decides.
func TestMapSteps(t *testing.T) {
	step := func(s *Shown, v Verdict) (found Step, deciding int) {
		for _, one := range s.Steps(v) {
			if one.Test == "access map" {
				found = one
			}
			if one.Decides {
				deciding++
			}
		}
		return found, deciding
	}
	f := Facts{Map: mapDenies}
	if s, _ := step(&Shown{Facts: &f}, Denied); s.Test != "" {
		t.Errorf("without a map: %+v", s)
	}
	for want, change := range map[string]func(){
		`Connect:192.0.2 (access:7) says "550 no"`: func() {},
		"Connect:192.0.2 (access:7) says REJECT":   func() { f.Map.Reply = "" },
		"Connect:192.0.2 (access:7) says REJECT; its name comes first, and is not known: " +
			"DNS was not asked": func() {
			f.Map.Reply, f.Naming, f.Limits.GreetDelay = "", true, 1
		},
	} {
		f = Facts{Map: mapDenies}
		change()
		s, n := step(&Shown{Facts: &f, HasMap: true, HasNames: true}, Denied)
		if s.Found != want || !s.Decides || n != 1 {
			t.Errorf("%+v, %d decide; want %q", s, n, want)
		}
	}
	f = Facts{Map: mapDenies, Rule: rule.Match{Access: rule.Deny, Name: "a", Source: rule.Source{
		File: "conf", Line: 1}}}
	s, n := step(&Shown{Facts: &f, HasMap: true, HasNames: true}, Denied)
	if s.Decides || n != 1 || !strings.Contains(s.Found, "but conf:1 comes first") {
		t.Errorf("%+v, %d decide", s, n)
	}
	f = Facts{}
	if s, _ := step(&Shown{Facts: &f, HasMap: true}, Pass); s.Found != "no matching key" {
		t.Errorf("%+v", s)
	}
	f.Map.Access, f.Map.Key = rule.Allow, "Connect:a"
	if s, _ := step(&Shown{Facts: &f, HasMap: true, HasLists: true}, Pass); s.Decides ||
		s.Found != "Connect:a (:0) lets it in: no lists are asked" {
		t.Errorf("%+v", s)
	}
}
