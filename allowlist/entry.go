package allowlist

import (
	"net"
	"net/netip"

	"sendwrap/allowlist/rule"
)

// entry is what is known about one network. It is a cidranger.RangerEntry.
type entry struct {
	network  netip.Prefix
	access   rule.Access
	accessAt rule.Source
	limits   *limits // nil = none: most of the thousands of networks in a long list have none
}

// limits are those of one network, and the place of each.
type limits struct {
	rule.Limits
	at [rule.Keys]rule.Source
}

// Network is the network in the form that cidranger needs.
func (e *entry) Network() net.IPNet { return ipNet(e.network) }

func ipNet(p netip.Prefix) net.IPNet {
	addr := p.Addr()
	return net.IPNet{IP: addr.AsSlice(), Mask: net.CIDRMask(p.Bits(), addr.BitLen())}
}

// copyAccess copies the entry's access to m.
func (e *entry) copyAccess(m *rule.Match) {
	m.Access, m.Network, m.Source = e.access, e.network,
		e.accessAt
}

// addLimits adds l, or nothing if one of its limits contradicts an earlier one.
func (e *entry) addLimits(l rule.Limits, src rule.Source) error {
	if e.limits == nil {
		e.limits = &limits{}
	}
	if k, found := e.limits.Contradicts(l); found {
		return LimitTwice(e.network, k, e.limits.at[k])
	}
	for k := range rule.Keys {
		if l.IsSet(k) && !e.limits.IsSet(k) {
			e.limits.SetRate(k, l.RateOr(k, rule.Rate{}))
			e.limits.at[k] = src
		}
	}
	return nil
}
