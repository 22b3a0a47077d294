package allowlist

import (
	"net"
	"net/netip"
)

// entry is what is known about one network. It is a cidranger.RangerEntry.
type entry struct {
	network  netip.Prefix
	access   Access
	accessAt Source
	limits   *limits // nil = none: most of the thousands of networks in a long list have none
}

// limits are those of one network, and the place of each.
type limits struct {
	Limits
	at [keys]Source
}

// Network is the network in the form that cidranger needs.
func (e *entry) Network() net.IPNet { return ipNet(e.network) }

func ipNet(p netip.Prefix) net.IPNet {
	addr := p.Addr()
	return net.IPNet{IP: addr.AsSlice(), Mask: net.CIDRMask(p.Bits(), addr.BitLen())}
}

// copyAccess copies the entry's access to m.
func (e *entry) copyAccess(m *Match) {
	m.Access, m.Network, m.Source = e.access, e.network,
		e.accessAt
}

// addLimits adds l, or nothing if one of its limits contradicts an earlier one.
func (e *entry) addLimits(l Limits, src Source) error {
	if e.limits == nil {
		e.limits = &limits{}
	}
	if k, found := e.limits.contradicts(l); found {
		return newError("keep one of the two", "%s of %s has another value at %s",
			k, e.network, e.limits.at[k])
	}
	for k := range keys {
		if l.set[k] && !e.limits.set[k] {
			e.limits.SetRate(k, l.values[k])
			e.limits.at[k] = src
		}
	}
	return nil
}
