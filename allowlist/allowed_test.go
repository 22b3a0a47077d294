package allowlist

import (
	"math/rand/v2"
	"net/netip"
	"testing"
)

func TestAllowed(t *testing.T) {
	l := All()
	for i, s := range []struct {
		network string
		access  Access
	}{
		{"10.0.0.0/8", Allow},
		{"10.1.0.0/16", Deny},
		{"10.1.2.0/24", Allow},
		{"198.51.100.0/24", Deny},
		{"203.0.113.128/25", Deny},
		{"203.0.113.192/28", Allow},
		{"203.0.113.64/32", Allow},
		{"2001:db8::/32", Allow},
		{"2001:db9::1/128", Allow},
	} {
		if err := l.SetAccess(netip.MustParsePrefix(s.network), s.access, at(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.SetLimits(netip.MustParsePrefix("203.0.113.0/24"), given(BadRcpts, 9),
		at(9)); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, network string
		by            string // the allowed network; "" = none
		line          int
		limits        Limits
	}{
		{"within one", "10.200.0.0/16", "10.0.0.0/8", 0, Limits{}},
		{"the very network", "10.0.0.0/8", "10.0.0.0/8", 0, Limits{}},
		{"an address of it", "10.9.9.9/32", "10.0.0.0/8", 0, Limits{}},
		{"denied within it", "10.1.3.0/24", "", 0, Limits{}},
		{"the very network denied within it, one allowed within that", "10.1.0.0/16", "10.1.2.0/24",
			2, Limits{}},
		{"allowed again within that", "10.1.2.3/32", "10.1.2.0/24", 2, Limits{}},
		{"larger than the denied one within it", "10.0.0.0/15", "10.0.0.0/8", 0, Limits{}},
		{"holds an allowed one", "0.0.0.0/0", "10.0.0.0/8", 0, Limits{}},
		{"denied", "198.51.100.0/24", "", 0, Limits{}},
		{"holds a denied one", "198.51.0.0/16", "", 0, Limits{}},
		{"of several within it the first by address", "203.0.113.0/24", "203.0.113.64/32", 6,
			given(BadRcpts, 9)},
		{"denied, but one within it", "203.0.113.128/25", "203.0.113.192/28", 5,
			given(BadRcpts, 9)},
		{"beside one", "203.0.113.65/32", "", 0, Limits{}},
		{"only limits", "203.0.113.0/26", "", 0, Limits{}},
		{"not mentioned", "192.0.2.0/24", "", 0, Limits{}},
		{"IPv6, within one", "2001:db8:1::/64", "2001:db8::/32", 7, Limits{}},
		{"IPv6, the prefix under which an allowed client is counted", "2001:db9::/64",
			"2001:db9::1/128", 8, Limits{}},
		{"IPv6, beside one", "2001:db9:0:1::/64", "", 0, Limits{}},
		{"all of IPv6", "::/0", "2001:db8::/32", 7, Limits{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := Match{}
			if tt.by != "" {
				want = Match{Allow, netip.MustParsePrefix(tt.by), at(tt.line), tt.limits}
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
	if err := l.SetAccess(everyone, Allow, at(1)); err != nil {
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
		if m, found := l.list.Allowed(l.network); found || m != (Match{}) {
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
			seen[[2]bool{want.Access == Allow, within}]++
			got, found := l.Allowed(n)
			if got != want || found != (want.Access == Allow) {
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
func (o *oracle) allowed(n netip.Prefix) (m Match, within bool) {
	m = o.match(n)
	if m.Access == Allow {
		return m, false
	}
	first := -1
	for i, network := range o.networks {
		if o.access[i] == Allow && network.Bits() > n.Bits() && n.Contains(network.Addr()) &&
			(first < 0 || before(network, o.networks[first])) {
			first = i
		}
	}
	if first < 0 {
		return Match{}, false
	}
	m.Access, m.Network, m.Source = Allow, o.networks[first], at(first)
	return m, true
}

// before is the order of addresses, of the same one the larger network first.
func before(a, b netip.Prefix) bool {
	if a.Addr() != b.Addr() {
		return a.Addr().Less(b.Addr())
	}
	return a.Bits() < b.Bits()
}
