package allowlist

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"sendwrap/allowlist/rule"
)

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
					t.Fatalf("round %d, %s: Match(%s) = %s\nwant %s\nof %v", round, name, client,
						show(got), show(want), o.networks)
				}
			}
		}
	}
}

// oracle is a list that searches linearly.
type oracle struct {
	networks []netip.Prefix
	access   []rule.Access
	limits   []rule.Limits
}

func newOracle(random *rand.Rand) *oracle {
	o := &oracle{}
	known := map[netip.Prefix]bool{}
	for range 1 + random.IntN(200) {
		a := o.near(random)
		network := netip.PrefixFrom(a, random.IntN(a.BitLen()+1)).Masked()
		if known[network] {
			continue // TestContradictions has repeats
		}
		known[network] = true
		var limits rule.Limits
		for k := range rule.Keys {
			if random.IntN(3) == 0 {
				limits.SetRate(k, rate(random.IntN(100), time.Duration(random.IntN(2))))
			}
		}
		o.networks = append(o.networks, network)
		o.access = append(o.access, rule.Access(random.IntN(3)))
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
func (o *oracle) match(n netip.Prefix) rule.Match {
	var m rule.Match
	var bits [rule.Keys]int // 1 + those of the network that sets it; 0 = none does
	for i, network := range o.networks {
		if network.Bits() > n.Bits() || !network.Contains(n.Addr()) {
			continue
		}
		if o.access[i] != rule.Unset &&
			(!m.Network.IsValid() || network.Bits() > m.Network.Bits()) {
			m.Access, m.Network, m.Source = o.access[i], network, at(i)
		}
		for k := range rule.Keys {
			if o.limits[i].IsSet(k) && network.Bits() >= bits[k] {
				m.Limits.SetRate(k, o.limits[i].RateOr(k, rule.Rate{}))
				bits[k] = network.Bits() + 1
			}
		}
	}
	return m
}
