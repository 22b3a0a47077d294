package allowlist

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// say makes limits of keys and values in turn.
func say(said ...any) Limits {
	var l Limits
	for i := 0; i < len(said); i += 2 {
		switch k := said[i].(Key); v := said[i+1].(type) {
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
	says := func(l *List) {
		for i, s := range []struct {
			network string
			access  Access
			limits  Limits
		}{
			{"0.0.0.0/0", Unsaid, say(ClientConns, 1, ClientRate, Rate{100, time.Hour}, BadRcpts, 5)},
			{"10.0.0.0/8", Deny, Limits{}},
			{"10.1.0.0/16", Unsaid, say(GreetDelay, time.Second, ClientConns, 2)},
			{"10.1.2.0/24", Allow, say(ClientConns, 0, BadRcpts, 0)},
			{"10.1.2.3/32", Deny, Limits{}},
			{"2001:db8::/32", Allow, Limits{}},
			{"2001:db8:1::/48", Deny, say(GreetDelay, time.Duration(0), BadRcptsTotal, Rate{})},
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
	everyone := say(ClientConns, 1, ClientRate, Rate{100, time.Hour}, BadRcpts, 5)
	tests := []struct {
		name, client string
		want         Match
	}{
		{"only the shortest", "192.0.2.1", Match{Limits: everyone}},
		{"shorter decides", "10.9.9.9", Match{Deny, netip.MustParsePrefix("10.0.0.0/8"), at(1), everyone}},
		{"a longer network that sets limits leaves the access", "10.1.9.9", Match{Deny, netip.MustParsePrefix("10.0.0.0/8"), at(1),
			say(GreetDelay, time.Second, ClientRate, Rate{100, time.Hour}, ClientConns, 2, BadRcpts, 5)}},
		{"longer decides, limits key by key, 0 is a value", "10.1.2.9", Match{Allow, netip.MustParsePrefix("10.1.2.0/24"), at(3),
			say(GreetDelay, time.Second, ClientRate, Rate{100, time.Hour}, ClientConns, 0, BadRcpts, 0)}},
		{"longest decides", "10.1.2.3", Match{Deny, netip.MustParsePrefix("10.1.2.3/32"), at(4),
			say(GreetDelay, time.Second, ClientRate, Rate{100, time.Hour}, ClientConns, 0, BadRcpts, 0)}},
		{"mapped client is IPv4", "::ffff:10.1.2.3", Match{Deny, netip.MustParsePrefix("10.1.2.3/32"), at(4),
			say(GreetDelay, time.Second, ClientRate, Rate{100, time.Hour}, ClientConns, 0, BadRcpts, 0)}},
		{"IPv6", "2001:db8:2::1", Match{Access: Allow, Network: netip.MustParsePrefix("2001:db8::/32"), Source: at(5)}},
		{"IPv6, longer", "2001:db8:1::1", Match{Deny, netip.MustParsePrefix("2001:db8:1::/48"), at(6), say(GreetDelay, time.Duration(0), BadRcptsTotal, Rate{})}},
		{"zone of a link-local client", "fe80::1%eth0", Match{Access: Allow, Network: netip.MustParsePrefix("fe80::/10"), Source: at(7)}},
		{"nothing said", "2001:db9::1", Match{}},
	}
	all := All()
	says(all)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			one := For(addr(tt.client))
			says(one)
			for name, l := range map[string]*List{"For": one, "All": all} {
				if got := l.Match(addr(tt.client)); got != tt.want {
					t.Errorf("%s: Match(%s) = %s\nwant %s", name, tt.client, show(got), show(tt.want))
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
		if m.Limits.Says(k) {
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

func TestContradictions(t *testing.T) {
	network := netip.MustParsePrefix("192.0.2.0/24")
	access := func(a Access, line int) func(*List) error {
		return func(l *List) error { return l.SetAccess(network, a, at(line)) }
	}
	limits := func(limits Limits, line int) func(*List) error {
		return func(l *List) error { return l.SetLimits(network, limits, at(line)) }
	}
	tests := []struct {
		name          string
		first, second func(*List) error
		want          string
		match         Match // what holds in the end
	}{
		{"allow and deny", access(Allow, 3), access(Deny, 7),
			`deny of 192.0.2.0/24 contradicts allow at /etc/sendwrap.conf:3; keep one of the two`,
			Match{Access: Allow, Network: network, Source: at(3)}},
		{"deny and allow", access(Deny, 3), access(Allow, 7),
			`allow of 192.0.2.0/24 contradicts deny at /etc/sendwrap.conf:3; keep one of the two`,
			Match{Access: Allow, Network: network, Source: at(7)}},
		{"deny twice", access(Deny, 3), access(Deny, 7), "", Match{Access: Deny, Network: network, Source: at(3)}},
		{"of several the first key is named, and none is taken", limits(say(MaxResets, 3, BadRcpts, 4), 3),
			limits(say(GreetDelay, time.Second, BadRcpts, 5, MaxResets, 5), 7),
			`bad_rcpts of 192.0.2.0/24 has another value at /etc/sendwrap.conf:3; keep one of the two`,
			Match{Limits: say(MaxResets, 3, BadRcpts, 4)}},
		{"0 is another value", limits(say(ClientConns, 5), 3), limits(say(ClientConns, 0), 7),
			`client_conns of 192.0.2.0/24 has another value at /etc/sendwrap.conf:3; keep one of the two`,
			Match{Limits: say(ClientConns, 5)}},
		{"same value, and one more", limits(say(GreetDelay, time.Second), 3),
			limits(say(GreetDelay, time.Second, ClientRate, Rate{10, time.Minute}), 7), "",
			Match{Limits: say(GreetDelay, time.Second, ClientRate, Rate{10, time.Minute})}},
	}
	for k := range keys { // each by itself
		tests = append(tests, tests[0])
		tt := &tests[len(tests)-1]
		first, other := say(k, Rate{10, time.Minute}), say(k, Rate{10, time.Hour})
		tt.name, tt.match = k.String(), Match{Limits: first}
		tt.first, tt.second = limits(first, 3), limits(other, 7)
		tt.want = k.String() + ` of 192.0.2.0/24 has another value at /etc/sendwrap.conf:3; keep one of the two`
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			client := addr("192.0.2.77")
			for name, l := range map[string]*List{"For": For(client), "All": All()} {
				if err := tt.first(l); err != nil {
					t.Fatal(err)
				}
				got := ""
				if err := tt.second(l); err != nil {
					got = err.(*Error).Error()
				}
				if got != tt.want {
					t.Errorf("%s: error %s\nwant %s", name, got, tt.want)
				}
				if m := l.Match(client); m != tt.match {
					t.Errorf("%s: %s\nwant %s", name, show(m), show(tt.match))
				}
			}
		})
	}
}

// TestFirstSourceHolds: who says the same again does not become the place that is named.
func TestFirstSourceHolds(t *testing.T) {
	l, network := All(), netip.MustParsePrefix("192.0.2.0/24")
	for line := 3; line < 6; line++ {
		if err := l.SetAccess(network, Allow, at(line)); err != nil {
			t.Fatal(err)
		}
		if err := l.SetLimits(network, say(ClientConns, 5), at(line)); err != nil {
			t.Fatal(err)
		}
	}
	if got := l.Match(addr("192.0.2.1")).Source; got != at(3) {
		t.Errorf("said at %s; want %s", got, at(3))
	}
	for _, err := range []error{l.SetAccess(network, Deny, at(9)), l.SetLimits(network, say(ClientConns, 6), at(9))} {
		if err == nil || !strings.Contains(err.Error(), "at "+at(3).String()+";") {
			t.Errorf("%v; want the place %s in it", err, at(3))
		}
	}
}

// TestUnsoundNetwork: what the trie would take and never find is refused, not lost.
func TestUnsoundNetwork(t *testing.T) {
	for _, s := range []string{"::ffff:192.0.2.0/120", "192.0.2.1/24"} {
		if err := All().SetAccess(netip.MustParsePrefix(s), Deny, at(1)); err == nil {
			t.Errorf("SetAccess(%s) took it", s)
		}
	}
}

// TestOracle holds For and All against a plain search, with addresses and networks drawn
// close together so that they nest, touch and repeat.
func TestOracle(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 300 {
		o := newOracle(random)
		all := All()
		o.fill(t, all)
		for range 20 {
			client := o.near(random)
			one := For(client)
			o.fill(t, one)
			want := o.match(netip.PrefixFrom(client, client.BitLen()))
			for name, l := range map[string]*List{"For": one, "All": all} {
				if got := l.Match(client); got != want {
					t.Fatalf("round %d, %s: Match(%s) = %s\nwant %s\nof %v", round, name, client, show(got), show(want), o.networks)
				}
			}
		}
	}
}

// oracle knows what was said and searches it all.
type oracle struct {
	networks []netip.Prefix
	access   []Access
	limits   []Limits
}

func newOracle(random *rand.Rand) *oracle {
	o := &oracle{}
	known := map[netip.Prefix]bool{}
	for range 1 + random.IntN(200) {
		a := o.near(random)
		network := netip.PrefixFrom(a, random.IntN(a.BitLen()+1)).Masked()
		if known[network] {
			continue // said twice: TestContradictions
		}
		known[network] = true
		var limits Limits
		for k := range keys {
			if random.IntN(3) == 0 {
				limits.SetRate(k, Rate{random.IntN(100), time.Duration(random.IntN(2))})
			}
		}
		o.networks = append(o.networks, network)
		o.access = append(o.access, Access(random.IntN(3)))
		o.limits = append(o.limits, limits)
	}
	return o
}

// near is an address that shares most of its bits with a network known, or any.
func (o *oracle) near(random *rand.Rand) netip.Addr {
	var b [16]byte
	for i := range b {
		b[i] = byte(random.UintN(256))
	}
	if len(o.networks) > 0 && random.IntN(8) > 0 {
		near := o.networks[random.IntN(len(o.networks))].Addr()
		copy(b[:], near.AsSlice())
		i := random.IntN(near.BitLen())
		b[i/8] ^= 0x80 >> (i % 8)
		if near.Is4() {
			return netip.AddrFrom4([4]byte(b[:]))
		}
	}
	if random.IntN(2) == 0 {
		return netip.AddrFrom4([4]byte(b[:]))
	}
	return netip.AddrFrom16(b).Unmap()
}

func (o *oracle) fill(t *testing.T, l *List) {
	for i, network := range o.networks {
		if err := l.SetAccess(network, o.access[i], at(i)); err != nil {
			t.Fatal(err)
		}
		if err := l.SetLimits(network, o.limits[i], at(i)); err != nil {
			t.Fatal(err)
		}
	}
}

// match is what holds for all of a network.
func (o *oracle) match(n netip.Prefix) Match {
	var m Match
	var bits [keys]int // of the network that said it, and one; 0: nobody yet
	for i, network := range o.networks {
		if network.Bits() > n.Bits() || !network.Contains(n.Addr()) {
			continue
		}
		if o.access[i] != Unsaid && (!m.Network.IsValid() || network.Bits() > m.Network.Bits()) {
			m.Access, m.Network, m.Source = o.access[i], network, at(i)
		}
		for k := range keys {
			if o.limits[i].Says(k) && network.Bits() >= bits[k] {
				m.Limits.SetRate(k, o.limits[i].values[k])
				bits[k] = network.Bits() + 1
			}
		}
	}
	return m
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

func BenchmarkParseNetwork(b *testing.B) {
	for b.Loop() {
		_, _ = ParseNetwork("198.51.100.0/24")
	}
}

func BenchmarkParsePrefix(b *testing.B) {
	for b.Loop() {
		_, _ = netip.ParsePrefix("198.51.100.0/24")
	}
}

// BenchmarkAll is what a command pays for each network.
func BenchmarkAll(b *testing.B) {
	b.ReportAllocs()
	l := All()
	random := rand.New(rand.NewPCG(1, 2))
	for b.Loop() {
		u := random.Uint32()
		network := netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(u >> 24), byte(u >> 16), byte(u >> 8)}), 24)
		_ = l.SetAccess(network, Allow, Source{})
	}
}

// BenchmarkMatched is what a connection pays for the first network that holds its client.
func BenchmarkMatched(b *testing.B) {
	b.ReportAllocs()
	client := addr("192.0.2.1")
	network := netip.MustParsePrefix("192.0.2.0/24")
	for b.Loop() {
		l := For(client)
		_ = l.SetAccess(network, Allow, Source{})
		l.Match(client)
	}
}

// What is said twice is known with both places, up to a hundred of them; a list for a client that
// is served does not keep it.
func TestRepeats(t *testing.T) {
	all, one := All(), For(netip.MustParseAddr("192.0.2.1"))
	network := netip.MustParsePrefix("192.0.2.0/24")
	for line := range 2 * maxRepeats {
		for _, l := range []*List{all, one} {
			if err := l.SetAccess(network, Deny, at(line)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := all.Repeats(); len(got) != maxRepeats || got[0] != (Repeat{network, Deny, at(0), at(1)}) {
		t.Errorf("%d are known: %+v", len(got), got[:min(1, len(got))])
	}
	if got := one.Repeats(); got != nil {
		t.Errorf("for one client: %+v", got)
	}
}
