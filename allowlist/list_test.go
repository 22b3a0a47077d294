package allowlist

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// given makes limits from keys and values in turn.
func given(values ...any) Limits {
	var l Limits
	for i := 0; i < len(values); i += 2 {
		switch k := values[i].(Key); v := values[i+1].(type) {
		case int:
			l.SetCount(k, v)
		case time.Duration:
			l.SetTime(k, v)
		case Rate:
			l.SetRate(k, v)
		}
	}
	return l
}

func at(line int) Source { return Source{"/etc/sendwrap.conf", line} }

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func TestMatch(t *testing.T) {
	fill := func(l *List) {
		for i, s := range []struct {
			network string
			access  Access
			limits  Limits
		}{
			{"0.0.0.0/0", Unset,
				given(ClientConns, 1, ClientRate, Rate{100, time.Hour}, BadRcpts, 5)},
			{"10.0.0.0/8", Deny, Limits{}},
			{"10.1.0.0/16", Unset, given(GreetDelay, time.Second, ClientConns, 2)},
			{"10.1.2.0/24", Allow, given(ClientConns, 0, BadRcpts, 0)},
			{"10.1.2.3/32", Deny, Limits{}},
			{"2001:db8::/32", Allow, Limits{}},
			{"2001:db8:1::/48", Deny, given(GreetDelay, time.Duration(0), BadRcptsTotal, Rate{})},
			{"fe80::/10", Allow, Limits{}},
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
	everyone := given(ClientConns, 1, ClientRate, Rate{100, time.Hour}, BadRcpts, 5)
	tests := []struct {
		name, client string
		want         Match
	}{
		{"only the shortest", "192.0.2.1", Match{Limits: everyone}},
		{"shorter decides", "10.9.9.9",
			Match{Deny, netip.MustParsePrefix("10.0.0.0/8"), at(1), everyone}},
		{"a longer network that sets limits leaves the access", "10.1.9.9",
			Match{Deny, netip.MustParsePrefix("10.0.0.0/8"), at(1),
				given(GreetDelay, time.Second, ClientRate, Rate{100, time.Hour}, ClientConns, 2,
					BadRcpts,
					5)}},
		{"longer decides, limits key by key, 0 is a value", "10.1.2.9",
			Match{Allow, netip.MustParsePrefix("10.1.2.0/24"), at(3),
				given(GreetDelay, time.Second, ClientRate, Rate{100, time.Hour}, ClientConns, 0,
					BadRcpts,
					0)}},
		{"longest decides", "10.1.2.3", Match{Deny, netip.MustParsePrefix("10.1.2.3/32"), at(4),
			given(GreetDelay, time.Second, ClientRate, Rate{100, time.Hour}, ClientConns, 0,
				BadRcpts,
				0)}},
		{"mapped client is IPv4", "::ffff:10.1.2.3",
			Match{Deny, netip.MustParsePrefix("10.1.2.3/32"), at(4),
				given(GreetDelay, time.Second, ClientRate, Rate{100, time.Hour}, ClientConns, 0,
					BadRcpts,
					0)}},
		{"IPv6", "2001:db8:2::1",
			Match{Access: Allow, Network: netip.MustParsePrefix("2001:db8::/32"), Source: at(5)}},
		{"IPv6, longer", "2001:db8:1::1", Match{Deny, netip.MustParsePrefix("2001:db8:1::/48"),
			at(6), given(GreetDelay, time.Duration(0), BadRcptsTotal, Rate{})}},
		{"zone of a link-local client", "fe80::1%eth0",
			Match{Access: Allow, Network: netip.MustParsePrefix("fe80::/10"), Source: at(7)}},
		{"not mentioned", "2001:db9::1", Match{}},
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

func show(m Match) string {
	s := fmt.Sprintf("%s %s at %s", m.Access, m.Network, m.Source)
	for k := range keys {
		if m.Limits.IsSet(k) {
			s += fmt.Sprintf(" %s=%d/%v", k, m.Limits.values[k].N, m.Limits.values[k].Per)
		}
	}
	return s
}

func TestMatchOfNothing(t *testing.T) {
	filled := All()
	if err := filled.SetAccess(netip.MustParsePrefix("0.0.0.0/0"), Deny, at(1)); err != nil {
		t.Fatal(err)
	}
	other := For(addr("192.0.2.1"))
	if err := other.SetAccess(netip.MustParsePrefix("192.0.2.0/24"), Deny, at(1)); err != nil {
		t.Fatal(err)
	}
	for name, m := range map[string]Match{
		"nil list":               (*List)(nil).Match(addr("192.0.2.1")),
		"empty list for one":     For(addr("192.0.2.1")).Match(addr("192.0.2.1")),
		"empty list for all":     All().Match(addr("192.0.2.1")),
		"no address":             filled.Match(netip.Addr{}),
		"list for no address":    For(netip.Addr{}).Match(netip.Addr{}),
		"list of another client": other.Match(addr("192.0.2.2")),
	} {
		if m != (Match{}) {
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
		if err := All().SetAccess(netip.MustParsePrefix(s), Deny, at(1)); err == nil {
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
		var limits Limits
		for k := range keys {
			limits.SetRate(k, Rate{1, time.Minute})
		}
		if err := l.SetAccess(network, Allow, at(1)); err != nil {
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
