package config

import (
	"net/netip"
	"slices"
	"strings"

	"sendwrap/allowlist"
)

// wellKnown is the prefix that any translator may use (RFC 6052 §2.1).
var wellKnown = netip.MustParsePrefix("64:ff9b::/96")

const maxNAT64 = 16 // prefixes; each is looked at for each IPv6 client

// The lengths that a prefix may have, and the octet that an address leaves out (RFC 6052 §2.2).
var nat64Lengths = []int{32, 40, 48, 56, 64, 96}

const unusedAt, unusedBits = 64, 8

// Network is the network under which a client is counted: so many leading bits of its address as
// count_by says. Where an IPv6 address holds an IPv4 address, behind one of the prefixes of nat64,
// these are the prefix and so many bits of the IPv4 address.
func (c *Config) Network(client netip.Addr) netip.Prefix { return c.network(client, c.CountBy) }

// widely is what one customer of a provider has, mostly: however many networks of count_by an
// attacker takes, they lie in few of these.
var widely = Widths{V4: 24, V6: 48}

// Wider is the network of a client together with its neighbours: its IPv4 /24 or IPv6 /48, or its
// own network where count_by makes that as wide.
func (c *Config) Wider(client netip.Addr) netip.Prefix {
	return c.network(client, Widths{min(widely.V4, c.CountBy.V4), min(widely.V6, c.CountBy.V6)})
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

// setNAT64 takes the prefixes that are right, whatever is wrong with others: clients behind these
// would all be one.
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
		return wrong(hint, "%s is no such prefix", quoted(arg))
	case slices.Contains(c.NAT64, p):
		return nil
	case len(c.NAT64) == maxNAT64:
		return wrong("write fewer", "more than 16 prefixes")
	}
	c.NAT64 = append(c.NAT64, p)
	// The longest prefix that holds a client is its own.
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

// Translated says whether the client's IPv6 address holds an IPv4 address, by which it is counted.
func (c *Config) Translated(client netip.Addr) bool {
	return slices.ContainsFunc(c.NAT64, func(p netip.Prefix) bool { return p.Contains(client) })
}
