package allowlist

import (
	"net"
	"net/netip"

	"sendwrap/allowlist/rule"
)

// entry is what is known about one network. It is a cidranger.RangerEntry.
type entry struct {
	network netip.Prefix
	said
}

// said is what was said about one network or name.
type said struct {
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

// setAccess sets the access, and returns the one before with its place. What was allowed stays so.
func (s *said) setAccess(a rule.Access, src rule.Source) (before rule.Access, at rule.Source) {
	before, at = s.access, s.accessAt
	if before != a && before != rule.Allow {
		s.access, s.accessAt = a, src
	}
	return before, at
}

// addLimits adds l, or nothing if one of its limits contradicts an earlier one, which is at that
// place.
func (s *said) addLimits(l rule.Limits, src rule.Source) (
	k rule.Key, at rule.Source, contradicts bool,
) {
	if s.limits == nil {
		s.limits = &limits{}
	}
	if k, found := s.limits.Contradicts(l); found {
		return k, s.limits.at[k], true
	}
	for k := range rule.Keys {
		if l.IsSet(k) && !s.limits.IsSet(k) {
			s.limits.SetRate(k, l.RateOr(k, rule.Rate{}))
			s.limits.at[k] = src
		}
	}
	return 0, at, false
}
