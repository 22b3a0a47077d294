package allowlist

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"sendwrap/allowlist/rule"
)

func TestAllowed(t *testing.T) {
	l := All()
	for i, s := range []struct {
		network string
		access  rule.Access
	}{
		{"10.0.0.0/8", rule.Allow},
		{"10.1.0.0/16", rule.Deny},
		{"10.1.2.0/24", rule.Allow},
		{"198.51.100.0/24", rule.Deny},
		{"203.0.113.128/25", rule.Deny},
		{"203.0.113.192/28", rule.Allow},
		{"203.0.113.64/32", rule.Allow},
		{"2001:db8::/32", rule.Allow},
		{"2001:db9::1/128", rule.Allow},
	} {
		if err := l.SetAccess(netip.MustParsePrefix(s.network), s.access, at(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.SetLimits(netip.MustParsePrefix("203.0.113.0/24"), given(rule.BadRcpts, 9),
		at(9)); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, network string
		by            string // the allowed network; "" = none
		line          int
		limits        rule.Limits
	}{
		{"within one", "10.200.0.0/16", "10.0.0.0/8", 0, rule.Limits{}},
		{"the very network", "10.0.0.0/8", "10.0.0.0/8", 0, rule.Limits{}},
		{"an address of it", "10.9.9.9/32", "10.0.0.0/8", 0, rule.Limits{}},
		{"denied within it", "10.1.3.0/24", "", 0, rule.Limits{}},
		{"the very network denied within it, one allowed within that", "10.1.0.0/16", "10.1.2.0/24",
			2, rule.Limits{}},
		{"allowed again within that", "10.1.2.3/32", "10.1.2.0/24", 2, rule.Limits{}},
		{"larger than the denied one within it", "10.0.0.0/15", "10.0.0.0/8", 0, rule.Limits{}},
		{"holds an allowed one", "0.0.0.0/0", "10.0.0.0/8", 0, rule.Limits{}},
		{"denied", "198.51.100.0/24", "", 0, rule.Limits{}},
		{"holds a denied one", "198.51.0.0/16", "", 0, rule.Limits{}},
		{"of several within it the first by address", "203.0.113.0/24", "203.0.113.64/32", 6,
			given(rule.BadRcpts, 9)},
		{"denied, but one within it", "203.0.113.128/25", "203.0.113.192/28", 5,
			given(rule.BadRcpts, 9)},
		{"beside one", "203.0.113.65/32", "", 0, rule.Limits{}},
		{"only limits", "203.0.113.0/26", "", 0, rule.Limits{}},
		{"not mentioned", "192.0.2.0/24", "", 0, rule.Limits{}},
		{"IPv6, within one", "2001:db8:1::/64", "2001:db8::/32", 7, rule.Limits{}},
		{"IPv6, the prefix under which an allowed client is counted", "2001:db9::/64",
			"2001:db9::1/128", 8, rule.Limits{}},
		{"IPv6, beside one", "2001:db9:0:1::/64", "", 0, rule.Limits{}},
		{"all of IPv6", "::/0", "2001:db8::/32", 7, rule.Limits{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := rule.Match{}
			if tt.by != "" {
				want = match(rule.Allow, tt.by, at(tt.line), tt.limits)
			}
			if got, found := l.Allowed(netip.MustParsePrefix(tt.network)); got != want ||
				found != (tt.by != "") {
				t.Errorf("Allowed(%s) = %s, %v\nwant %s", tt.network, show(got), found, show(want))
			}
		})
	}
}

func TestAllowedOfNothing(t *testing.T) {
	everyone := netip.MustParsePrefix("0.0.0.0/0")
	l := All()
	if err := l.SetAccess(everyone, rule.Allow, at(1)); err != nil {
		t.Fatal(err)
	}
	for name, l := range map[string]struct {
		list    *List
		network netip.Prefix
	}{
		"nil list":       {nil, everyone},
		"empty list":     {All(), everyone},
		"no network":     {l, netip.Prefix{}},
		"host bits":      {l, netip.MustParsePrefix("192.0.2.1/24")},
		"mapped":         {l, netip.MustParsePrefix("::ffff:192.0.2.0/120")},
		"another family": {l, netip.MustParsePrefix("::/0")},
	} {
		if m, found := l.list.Allowed(l.network); found || m != (rule.Match{}) {
			t.Errorf("%s: %s", name, show(m))
		}
	}
}

// TestAllowedOracle holds Allowed against every address's and every network's own answer:
// a network is allowed if the longest rule that holds all of it allows, or any rule within it does.
func TestAllowedOracle(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	seen := map[[2]bool]int{} // the answer, and whether a rule within decided
	for round := range 300 {
		o := newOracle(random)
		l := All()
		o.fill(t, l)
		for range 50 {
			n := o.networks[random.IntN(len(o.networks))]
			if random.IntN(2) == 0 {
				a := o.near(random)
				n = netip.PrefixFrom(a, random.IntN(a.BitLen()+1)).Masked()
			}
			want, within := o.allowed(n)
			seen[[2]bool{want.Access == rule.Allow, within}]++
			got, found := l.Allowed(n)
			if got != want || found != (want.Access == rule.Allow) {
				t.Fatalf("round %d: Allowed(%s) = %s, %v\nwant %s\nof %v %v", round, n, show(got),
					found, show(want), o.networks, o.access)
			}
		}
	}
	for _, answer := range [][2]bool{{false, false}, {true, false}, {true, true}} {
		if seen[answer] < 500 {
			t.Errorf("%v was the answer %d times only", answer, seen[answer])
		}
	}
}

// allowed searches all of the list.
func (o *oracle) allowed(n netip.Prefix) (m rule.Match, within bool) {
	m = o.match(n)
	if m.Access == rule.Allow {
		return m, false
	}
	first := -1
	for i, network := range o.networks {
		if o.access[i] == rule.Allow && network.Bits() > n.Bits() && n.Contains(network.Addr()) &&
			(first < 0 || before(network, o.networks[first])) {
			first = i
		}
	}
	if first < 0 {
		return rule.Match{}, false
	}
	m.Access, m.Network, m.Source = rule.Allow, o.networks[first], at(first)
	return m, true
}

// before is the order of addresses, of the same one the larger network first.
func before(a, b netip.Prefix) bool {
	if a.Addr() != b.Addr() {
		return a.Addr().Less(b.Addr())
	}
	return a.Bits() < b.Bits()
}
