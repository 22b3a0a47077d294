package allowlist

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sendwrap/allowlist/rule"
)

// given makes limits from keys and values in turn.
func given(values ...any) rule.Limits {
	var l rule.Limits
	for i := 0; i < len(values); i += 2 {
		switch k := values[i].(rule.Key); v := values[i+1].(type) {
		case int:
			l.SetCount(k, v)
		case time.Duration:
			l.SetTime(k, v)
		case rule.Rate:
			l.SetRate(k, v)
		}
	}
	return l
}

func rate(n int, per time.Duration) rule.Rate { return rule.Rate{N: n, Per: per} }

func match(a rule.Access, network string, at rule.Source, limits rule.Limits) rule.Match {
	return rule.Match{
		Access: a, Network: netip.MustParsePrefix(network), Source: at, Limits: limits,
	}
}

func at(line int) rule.Source { return rule.Source{File: "/etc/sendwrap.conf", Line: line} }

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func TestMatch(t *testing.T) {
	fill := func(l *List) {
		for i, s := range []struct {
			network string
			access  rule.Access
			limits  rule.Limits
		}{
			{"0.0.0.0/0", rule.Unset,
				given(rule.ClientConns, 1, rule.ClientRate, rate(100, time.Hour), rule.BadRcpts,
					5)},
			{"10.0.0.0/8", rule.Deny, rule.Limits{}},
			{"10.1.0.0/16", rule.Unset, given(rule.GreetDelay, time.Second, rule.ClientConns, 2)},
			{"10.1.2.0/24", rule.Allow, given(rule.ClientConns, 0, rule.BadRcpts, 0)},
			{"10.1.2.3/32", rule.Deny, rule.Limits{}},
			{"2001:db8::/32", rule.Allow, rule.Limits{}},
			{"2001:db8:1::/48", rule.Deny,
				given(rule.GreetDelay, time.Duration(0), rule.BadRcptsTotal, rule.Rate{})},
			{"fe80::/10", rule.Allow, rule.Limits{}},
		} {
			network := netip.MustParsePrefix(s.network)
			if err := l.SetAccess(network, s.access, at(i)); err != nil {
				t.Fatal(err)
			}
			if err := l.SetLimits(network, s.limits, at(i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	everyone := given(rule.ClientConns, 1, rule.ClientRate, rate(100, time.Hour), rule.BadRcpts, 5)
	tests := []struct {
		name, client string
		want         rule.Match
	}{
		{"only the shortest", "192.0.2.1", rule.Match{Limits: everyone}},
		{"shorter decides", "10.9.9.9",
			match(rule.Deny, "10.0.0.0/8", at(1), everyone)},
		{"a longer network that sets limits leaves the access", "10.1.9.9",
			match(rule.Deny, "10.0.0.0/8", at(1),
				given(rule.GreetDelay, time.Second, rule.ClientRate, rate(100, time.Hour),
					rule.ClientConns, 2, rule.BadRcpts, 5))},
		{"longer decides, limits key by key, 0 is a value", "10.1.2.9",
			match(rule.Allow, "10.1.2.0/24", at(3),
				given(rule.GreetDelay, time.Second, rule.ClientRate, rate(100, time.Hour),
					rule.ClientConns, 0, rule.BadRcpts, 0))},
		{"longest decides", "10.1.2.3", match(rule.Deny, "10.1.2.3/32", at(4),
			given(rule.GreetDelay, time.Second, rule.ClientRate, rate(100, time.Hour),
				rule.ClientConns, 0, rule.BadRcpts, 0))},
		{"mapped client is IPv4", "::ffff:10.1.2.3",
			match(rule.Deny, "10.1.2.3/32", at(4),
				given(rule.GreetDelay, time.Second, rule.ClientRate, rate(100, time.Hour),
					rule.ClientConns, 0, rule.BadRcpts, 0))},
		{"IPv6", "2001:db8:2::1",
			match(rule.Allow, "2001:db8::/32", at(5), rule.Limits{})},
		{"IPv6, longer", "2001:db8:1::1", match(rule.Deny, "2001:db8:1::/48",
			at(6), given(rule.GreetDelay, time.Duration(0), rule.BadRcptsTotal, rule.Rate{}))},
		{"zone of a link-local client", "fe80::1%eth0",
			match(rule.Allow, "fe80::/10", at(7), rule.Limits{})},
		{"not mentioned", "2001:db9::1", rule.Match{}},
	}
	all := All()
	fill(all)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			one := For(addr(tt.client))
			fill(one)
			for name, l := range map[string]*List{"For": one, "All": all} {
				if got := l.Match(addr(tt.client)); got != tt.want {
					t.Errorf("%s: Match(%s) = %s\nwant %s", name, tt.client, show(got),
						show(tt.want))
				}
			}
			if one.Len() != all.Len() || one.Len() != 16 {
				t.Errorf("Len() = %d, and %d of all; want 16", one.Len(), all.Len())
			}
		})
	}
}

func show(m rule.Match) string {
	s := fmt.Sprintf("%s %s at %s", m.Access, m.Network, m.Source)
	for k := range rule.Keys {
		if m.Limits.IsSet(k) {
			r := m.Limits.RateOr(k, rule.Rate{})
			s += fmt.Sprintf(" %s=%d/%v", k, r.N, r.Per)
		}
	}
	return s
}

func TestMatchOfNothing(t *testing.T) {
	filled := All()
	if err := filled.SetAccess(netip.MustParsePrefix("0.0.0.0/0"), rule.Deny, at(1)); err != nil {
		t.Fatal(err)
	}
	other := For(addr("192.0.2.1"))
	if err := other.SetAccess(netip.MustParsePrefix("192.0.2.0/24"), rule.Deny, at(1)); err != nil {
		t.Fatal(err)
	}
	for name, m := range map[string]rule.Match{
		"nil list":               (*List)(nil).Match(addr("192.0.2.1")),
		"empty list for one":     For(addr("192.0.2.1")).Match(addr("192.0.2.1")),
		"empty list for all":     All().Match(addr("192.0.2.1")),
		"no address":             filled.Match(netip.Addr{}),
		"list for no address":    For(netip.Addr{}).Match(netip.Addr{}),
		"list of another client": other.Match(addr("192.0.2.2")),
	} {
		if m != (rule.Match{}) {
			t.Errorf("%s: %s", name, show(m))
		}
	}
	if n := (*List)(nil).Len(); n != 0 {
		t.Errorf("nil list: Len() = %d", n)
	}
}

// TestNotCanonical: a network that the trie would take but never find is refused.
func TestNotCanonical(t *testing.T) {
	for _, s := range []string{"::ffff:192.0.2.0/120", "192.0.2.1/24"} {
		if err := All().SetAccess(netip.MustParsePrefix(s), rule.Deny, at(1)); err == nil {
			t.Errorf("SetAccess(%s) took it", s)
		}
	}
}

// TestOthersCostNothing: a network that does not hold the client allocates nothing, and
// without a network that holds it there is no trie.
func TestOthersCostNothing(t *testing.T) {
	l := For(addr("192.0.2.1"))
	allocs := testing.AllocsPerRun(100, func() {
		network, err := ParseNetwork("198.51.100.0/24")
		if err != nil {
			t.Fatal(err)
		}
		var limits rule.Limits
		for k := range rule.Keys {
			limits.SetRate(k, rate(1, time.Minute))
		}
		if err := l.SetAccess(network, rule.Allow, at(1)); err != nil {
			t.Fatal(err)
		}
		if err := l.SetLimits(network, limits, at(1)); err != nil {
			t.Fatal(err)
		}
		l.Match(addr("192.0.2.1"))
	})
	if allocs != 0 {
		t.Errorf("%v allocations; want 0", allocs)
	}
	if l.ranger != nil {
		t.Error("there is a trie")
	}
}

// TestSourceOfEachKey: each limit of a network keeps the line that sets it.
func TestSourceOfEachKey(t *testing.T) {
	l, network := All(), netip.MustParsePrefix("192.0.2.0/24")
	for k := range rule.Keys {
		if err := l.SetLimits(network, given(k, 1), at(int(k)+1)); err != nil {
			t.Fatal(err)
		}
	}
	for k := range rule.Keys {
		err := l.SetLimits(network, given(k, 2), at(99))
		if err == nil || !strings.Contains(err.Error(), k.String()+" of ") ||
			!strings.Contains(err.Error(), "at "+at(int(k)+1).String()+";") {
			t.Errorf("%s: %v; want the place %s in it", k, err, at(int(k)+1))
		}
	}
}
