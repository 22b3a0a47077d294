package allowlist

import (
	"net/netip"
	"strings"
)

// ParseNetwork reads a network in CIDR form, or an address, which is a network of one.
//
// It refuses what would not mean what it seems to mean: host bits that are set, an IPv4-mapped IPv6
// network (it would never match, since mapped clients are treated as IPv4), and a zone. The error
// is an *[Error] that offers the right spelling.
func ParseNetwork(s string) (netip.Prefix, error) {
	network, ok := parseNetwork(s)
	if !ok {
		return netip.Prefix{}, explain(s)
	}
	return network, nil
}

func parseNetwork(s string) (network netip.Prefix, ok bool) {
	var err error
	if strings.IndexByte(s, '/') >= 0 {
		network, err = netip.ParsePrefix(s)
	} else {
		var addr netip.Addr
		addr, err = netip.ParseAddr(s)
		network = netip.PrefixFrom(addr, addr.BitLen())
		if addr.Zone() != "" {
			network = netip.Prefix{}
		}
	}
	if err != nil || !isCanonical(network) {
		return netip.Prefix{}, false
	}
	return network, true
}

// mappedBits is the length of ::ffff:0:0/96, which contains the IPv4-mapped addresses.
const mappedBits = 96

// isCanonical reports whether a network can be looked up: valid, without host bits, not mapped.
func isCanonical(network netip.Prefix) bool {
	return network.IsValid() && network == network.Masked() && !network.Addr().Is4In6()
}
