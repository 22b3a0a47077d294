package config

import (
	"net/netip"
	"slices"
	"strings"

	"sendwrap/allowlist"
)

// wellKnown is the prefix that any translator can use (RFC 6052 §2.1).
var wellKnown = netip.MustParsePrefix("64:ff9b::/96")

const maxNAT64 = 16 // prefixes; each is compared with each IPv6 client

// The lengths of a prefix, and the octet of an address that is not used (RFC 6052 §2.2).
var nat64Lengths = []int{32, 40, 48, 56, 64, 96}

const unusedAt, unusedBits = 64, 8

// Network is the network under which a client is counted: the leading bits of its address, as many
// as count_by says. An IPv6 address behind one of the prefixes of nat64 contains an IPv4 address;
// then the leading bits of that one count, together with the prefix.
func (c *Config) Network(client netip.Addr) netip.Prefix { return c.network(client, c.CountBy) }

// widerWidths is what a provider usually gives to one customer: however many networks of count_by
// an attacker uses, they lie in few of these.
var widerWidths = Widths{V4: 24, V6: 48}

// Wider is the network of a client and its neighbors: its IPv4 /24 or IPv6 /48, or what [Network]
// says if that is wider.
func (c *Config) Wider(client netip.Addr) netip.Prefix {
	return c.network(client,
		Widths{min(widerWidths.V4, c.CountBy.V4), min(widerWidths.V6, c.CountBy.V6)})
}

func (c *Config) network(client netip.Addr, w Widths) netip.Prefix {
	if client.Is4() {
		return netip.PrefixFrom(client, w.V4).Masked()
	}
	bits := w.V6
	for _, p := range c.NAT64 {
		if !p.Contains(client) {
			continue
		}
		bits = p.Bits() + w.V4
		if p.Bits() <= unusedAt && bits > unusedAt {
			bits += unusedBits
		}
		break
	}
	return netip.PrefixFrom(client, bits).Masked()
}

// setNAT64 adds the right prefixes even if others are wrong: without its prefix, all clients of a
// translator would count as one.
func setNAT64(c *Config, args []string) (first error) {
	for _, arg := range args {
		if err := c.addNAT64(arg); err != nil && first == nil {
			first = err
		}
	}
	return first
}

func (c *Config) addNAT64(arg string) error {
	p, err := allowlist.ParseNetwork(arg)
	switch {
	case err != nil:
		return fromAllowlist(err)
	case p.Addr().Is4() || !slices.Contains(nat64Lengths, p.Bits()):
		const hint = "write an IPv6 prefix of /32, /40, /48, /56, /64 or /96"
		return newError(hint, "%s is not a NAT64 prefix", quoted(arg))
	case slices.Contains(c.NAT64, p):
		return nil
	case len(c.NAT64) == maxNAT64:
		return newError("write fewer", "more than 16 prefixes")
	}
	c.NAT64 = append(c.NAT64, p)
	// The longest prefix that contains a client comes first and applies.
	slices.SortStableFunc(c.NAT64, func(a, b netip.Prefix) int { return b.Bits() - a.Bits() })
	return nil
}

func printNAT64(c *Config) string {
	var all []string
	for _, p := range c.NAT64 {
		all = append(all, p.String())
	}
	return strings.Join(all, " ")
}

// Translated reports whether the client's IPv6 address contains an IPv4 address, by which it is
// counted.
func (c *Config) Translated(client netip.Addr) bool {
	return slices.ContainsFunc(c.NAT64, func(p netip.Prefix) bool { return p.Contains(client) })
}
