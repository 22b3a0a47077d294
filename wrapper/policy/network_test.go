package policy

import (
	"math/rand/v2"
	"net/netip"
	"testing"
)

// A network holds the wide networks of its clients if it contains these for each client: also of
// clients behind a translator, and where it is wider than the prefix of one.
func TestHoldsWide(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	prefixes := []netip.Prefix{
		netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("2001:db8:32::/32"),
		netip.MustParsePrefix("2001:db9:64:100::/56"), netip.MustParsePrefix("2001:dba:1:2::/64"),
	}
	s := Settings{NAT64: prefixes}
	held, translated := 0, 0
	for range 20_000 {
		s.Wide = []Wide{
			{Widths: Widths{8 + random.IntN(24), 32 + random.IntN(32)}},
			{Widths: Widths{1 + random.IntN(24), 16 + random.IntN(48)}},
		}
		network := randomNetwork(random, prefixes[random.IntN(len(prefixes))])
		got := s.HoldsWide(network)
		for n := range s.Wide {
			want := true
			clients := []netip.Addr{network.Addr(), lastOf(network)}
			for _, p := range prefixes {
				if network.Overlaps(p) {
					inside := lastOf(p)
					if p.Bits() < network.Bits() {
						inside = lastOf(network)
					}
					clients = append(clients, inside)
					translated++
				}
			}
			for _, client := range clients {
				wide := s.WideNetwork(client, n)
				want = want && network.Bits() <= wide.Bits() && network.Contains(wide.Addr())
			}
			if got[n] != want {
				t.Fatalf("%v holds the wide networks of %+v: %v; want %v", network,
					s.Wide[n].Widths, got[n], want)
			}
			if want {
				held++
			}
		}
	}
	if held < 5000 || held > 35_000 || translated < 5000 {
		t.Errorf("%d of 40,000 held, %d of translated clients", held, translated)
	}
}

// randomNetwork is of IPv4, or of IPv6 and mostly near p.
func randomNetwork(random *rand.Rand, p netip.Prefix) netip.Prefix {
	var b [16]byte
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	switch random.IntN(4) {
	case 0:
		return netip.PrefixFrom(netip.AddrFrom4([4]byte(b[:4])), random.IntN(33)).Masked()
	case 1:
		return netip.PrefixFrom(netip.AddrFrom16(b), random.IntN(129)).Masked()
	}
	near := p.Addr().As16()
	copy(b[:p.Bits()/8], near[:])
	bits := max(0, min(128, p.Bits()-20+random.IntN(60)))
	return netip.PrefixFrom(netip.AddrFrom16(b), bits).Masked()
}

func lastOf(n netip.Prefix) netip.Addr {
	b := n.Addr().AsSlice()
	for i := n.Bits(); i < 8*len(b); i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}
