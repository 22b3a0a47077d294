package policy

import (
	"net/netip"
	"slices"

	"sendwrap/allowlist/rule"
)

// wellKnown is the prefix that any translator can use (RFC 6052 §2.1).
var wellKnown = netip.MustParsePrefix("64:ff9b::/96")

// The octet of an address that is not used (RFC 6052 §2.2).
const unusedAt, unusedBits = 64, 8

// Network is the network under which a client is counted: the leading bits of its address, as many
// as count_by says. An IPv6 address behind one of the prefixes of nat64 contains an IPv4 address;
// then the leading bits of that one count, together with the prefix.
func (s *Settings) Network(client netip.Addr) netip.Prefix { return s.network(client, s.CountBy) }

// wideWidths is what a provider usually gives to one customer: however many networks of count_by
// an attacker uses, they lie in few of these.
var wideWidths = Widths{V4: 24, V6: 48}

// WideAround is the network of a client and its neighbors: its IPv4 /24 or IPv6 /48, or what
// [Network] says if that is wider.
func (s *Settings) WideAround(client netip.Addr) netip.Prefix {
	return s.network(client,
		Widths{min(wideWidths.V4, s.CountBy.V4), min(wideWidths.V6, s.CountBy.V6)})
}

// WideNetwork is the network that contains a client and that Wide[n] is about.
func (s *Settings) WideNetwork(client netip.Addr, n int) netip.Prefix {
	return s.network(client, s.Wide[n].Widths)
}

// HoldsWide says for each of Wide whether a network holds that of each of its clients, or is the
// same: then its limits hold in place of those of Wide.
func (s *Settings) HoldsWide(network netip.Prefix) (holds [rule.MaxWide]bool) {
	for n := range s.Wide {
		w := s.Wide[n].Widths
		if network.Addr().Is4() {
			holds[n] = network.Bits() <= w.V4
			continue
		}
		of := w.V6
		for _, p := range s.NAT64 {
			if network.Bits() >= p.Bits() && p.Contains(network.Addr()) {
				of = translatedBits(p, w)
				break
			}
		}
		holds[n] = network.Bits() <= of
	}
	return holds
}

func (s *Settings) network(client netip.Addr, w Widths) netip.Prefix {
	if client.Is4() {
		return netip.PrefixFrom(client, w.V4).Masked()
	}
	bits := w.V6
	for _, p := range s.NAT64 {
		if !p.Contains(client) {
			continue
		}
		bits = translatedBits(p, w)
		break
	}
	return netip.PrefixFrom(client, bits).Masked()
}

// translatedBits is the length of the networks of clients whose addresses begin with p.
func translatedBits(p netip.Prefix, w Widths) int {
	bits := p.Bits() + w.V4
	if p.Bits() <= unusedAt && bits > unusedAt {
		bits += unusedBits
	}
	return bits
}

// Translated reports whether the client's IPv6 address contains an IPv4 address, by which it is
// counted.
func (s *Settings) Translated(client netip.Addr) bool {
	return slices.ContainsFunc(s.NAT64, func(p netip.Prefix) bool { return p.Contains(client) })
}
