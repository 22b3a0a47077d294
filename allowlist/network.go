package allowlist

import (
	"net/netip"
	"strings"
)

// ParseNetwork reads a network in CIDR form, or a bare address, which is a network of one.
//
// It refuses what would not mean what it seems to: host bits that are set, an
// IPv4-mapped IPv6 network (clients are IPv4 or IPv6, never mapped, so it would never
// match), and a zone. The error is an *[Error] that names the spelling meant.
func ParseNetwork(s string) (netip.Prefix, error) {
	var network netip.Prefix
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
	if err != nil || !sound(network) {
		return netip.Prefix{}, explain(s)
	}
	return network, nil
}

// sound says whether a network means what it seems to and can be looked up.
func sound(network netip.Prefix) bool {
	return network.IsValid() && network == network.Masked() && !network.Addr().Is4In6()
}
