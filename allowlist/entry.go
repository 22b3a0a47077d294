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
	limits   Limits
	delayAt  Source
	rateAt   Source
	connsAt  Source
}

// Network is the network as cidranger wants it.
func (e *entry) Network() net.IPNet {
	addr := e.network.Addr()
	return net.IPNet{IP: addr.AsSlice(), Mask: net.CIDRMask(e.network.Bits(), addr.BitLen())}
}

// limit takes all the limits given, or none if one of them contradicts an earlier one.
func (e *entry) limit(l Limits, src Source) error {
	switch {
	case contradicts(e.limits.GreetDelay, l.GreetDelay):
		return e.contradiction("greet_delay", e.delayAt)
	case contradicts(e.limits.ClientRate, l.ClientRate):
		return e.contradiction("client_rate", e.rateAt)
	case contradicts(e.limits.ClientConns, l.ClientConns):
		return e.contradiction("client_conns", e.connsAt)
	}
	take(&e.limits.GreetDelay, l.GreetDelay, &e.delayAt, src)
	take(&e.limits.ClientRate, l.ClientRate, &e.rateAt, src)
	take(&e.limits.ClientConns, l.ClientConns, &e.connsAt, src)
	return nil
}

func (e *entry) contradiction(key string, first Source) error {
	return wrong("keep one of the two", "%s of %s has another value at %s", key, e.network, first)
}

func contradicts[T comparable](first, second *T) bool {
	return first != nil && second != nil && *first != *second
}

// take copies a limit that was said for the first time. The caller's own value is not
// kept: then it may lie on the stack, and a line about a network that does not hold the
// client allocates nothing.
func take[T any](limit **T, said *T, at *Source, src Source) {
	if said == nil || *limit != nil {
		return
	}
	v := *said
	*limit, *at = &v, src
}

// under lays the limits of a longer network over l.
func (l Limits) under(longer Limits) Limits {
	if longer.GreetDelay != nil {
		l.GreetDelay = longer.GreetDelay
	}
	if longer.ClientRate != nil {
		l.ClientRate = longer.ClientRate
	}
	if longer.ClientConns != nil {
		l.ClientConns = longer.ClientConns
	}
	return l
}
