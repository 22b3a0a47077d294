package config

import (
	"net/netip"
	"slices"
	"strings"

	"sendwrap/allowlist"
)

const maxNAT64 = 16 // prefixes; each is compared with each IPv6 client

// nat64Lengths are those of a prefix (RFC 6052 §2.2).
var nat64Lengths = []int{32, 40, 48, 56, 64, 96}

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
