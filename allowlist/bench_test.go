package allowlist

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"sendwrap/allowlist/rule"
)

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
		network := netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(u >> 24), byte(u >> 16),
			byte(u >> 8)}), 24)
		_ = l.SetAccess(network, rule.Allow, rule.Source{})
	}
}

// BenchmarkMatched is what a connection pays for the first network that holds its client.
func BenchmarkMatched(b *testing.B) {
	b.ReportAllocs()
	client := addr("192.0.2.1")
	network := netip.MustParsePrefix("192.0.2.0/24")
	for b.Loop() {
		l := For(client)
		_ = l.SetAccess(network, rule.Allow, rule.Source{})
		l.Match(client)
	}
}

// BenchmarkAllowed is what it costs to ask whether a network may be blocked, among 10,000 allowed
// ones.
func BenchmarkAllowed(b *testing.B) {
	l := All()
	for n := range 10_000 {
		network := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n >> 8), byte(n)}), 24)
		if err := l.SetAccess(network, rule.Allow, rule.Source{}); err != nil {
			b.Fatal(err)
		}
	}
	for _, network := range []string{"192.0.2.1/32", "10.0.9.1/32", "10.0.0.0/16", "0.0.0.0/0"} {
		b.Run(network, func(b *testing.B) {
			b.ReportAllocs()
			for p := netip.MustParsePrefix(network); b.Loop(); {
				l.Allowed(p)
			}
		})
	}
}
