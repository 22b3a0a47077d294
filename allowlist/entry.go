package allowlist

import (
	"net"
	"net/netip"
)

// entry is what was said about one network. It is a cidranger.RangerEntry.
type entry struct {
	network  netip.Prefix
	access   Access
	accessAt Source
	limits   *limits // nil as long as there are none: lists of networks have thousands that are allowed or denied
}

// limits are those of a network, and where each was said.
type limits struct {
	Limits
	at [keys]Source
}

// Network is the network as cidranger wants it.
func (e *entry) Network() net.IPNet { return ipNet(e.network) }

func ipNet(p netip.Prefix) net.IPNet {
	addr := p.Addr()
	return net.IPNet{IP: addr.AsSlice(), Mask: net.CIDRMask(p.Bits(), addr.BitLen())}
}

// decide makes m's access that of the entry.
func (e *entry) decide(m *Match) { m.Access, m.Network, m.Source = e.access, e.network, e.accessAt }

// limit takes all the limits given, or none if one of them contradicts an earlier one.
func (e *entry) limit(l Limits, src Source) error {
	if e.limits == nil {
		e.limits = &limits{}
	}
	if k, found := e.limits.contradicts(l); found {
		return wrong("keep one of the two", "%s of %s has another value at %s", k, e.network, e.limits.at[k])
	}
	for k := range keys {
		if l.said[k] && !e.limits.said[k] {
			e.limits.SetRate(k, l.values[k])
			e.limits.at[k] = src
		}
	}
	return nil
}
