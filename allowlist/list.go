package allowlist

import (
	"net"
	"net/netip"

	"github.com/yl2chen/cidranger"
)

// List is what the administrator said about networks. It is filled with SetAccess and
// SetLimits and then asked with Match; a nil List is one where nothing was said.
type List struct {
	all    bool
	client netip.Addr // the one asked about, unless all
	named  int
	ranger cidranger.Ranger // nil as long as no network is kept: most clients are in none
}

// Match is what holds for one client. The zero Match says nothing.
type Match struct {
	Access  Access       // of the longest allowed or denied network that holds the client
	Network netip.Prefix // that network
	Source  Source       // where it was said
	Limits  Limits       // from all networks that hold the client, the longest first, key by key
}

// For makes a list that answers for one client. It keeps only networks that hold it, so
// naming a hundred thousand others costs neither memory nor more than a look at each.
// Conflicts are found among the networks kept.
func For(client netip.Addr) *List { return &List{client: plain(client)} }

// All makes a list that answers for any client, and finds every conflict. It costs some
// 10 µs and 1.5 kB for each network named (BenchmarkAll).
func All() *List { return &List{all: true} }

// plain is the client as networks hold it: not mapped into IPv6, and without a zone,
// since netip.Prefix holds no address that has one.
func plain(client netip.Addr) netip.Addr { return client.Unmap().WithZone("") }

// Len counts the networks named, once each time, also those that were not kept.
func (l *List) Len() int {
	if l == nil {
		return 0
	}
	return l.named
}

// SetAccess says that a network, as [ParseNetwork] gave it, is allowed or denied. To say
// the same twice is harmless, and the first Source holds; to say the other is an *[Error] that
// names the first place.
func (l *List) SetAccess(network netip.Prefix, a Access, src Source) error {
	l.named++
	if !l.keeps(network) {
		return nil
	}
	e, err := l.entry(network)
	if err != nil || e.access == a {
		return err
	}
	if e.access != Unsaid {
		return wrong("keep one of the two", "%s of %s contradicts %s at %s", a, network, e.access, e.accessAt)
	}
	e.access, e.accessAt = a, src
	return nil
}

// SetLimits says which limits a network, as [ParseNetwork] gave it, has of its own. More
// can be said about the same network later, but not another value for the same limit:
// that is an *[Error] that names the first place, and nothing of l is taken.
func (l *List) SetLimits(network netip.Prefix, limits Limits, src Source) error {
	l.named++
	if !l.keeps(network) {
		return nil
	}
	e, err := l.entry(network)
	if err != nil {
		return err
	}
	return e.limit(limits, src)
}

func (l *List) keeps(network netip.Prefix) bool { return l.all || network.Contains(l.client) }

// Match says what holds for a client. A list made by [For] knows of its own client only
// and says nothing about another.
func (l *List) Match(client netip.Addr) Match {
	client = plain(client)
	if l == nil || !l.all && client != l.client {
		return Match{}
	}
	return l.about(netip.PrefixFrom(client, client.BitLen()))
}

// Allowed says whether a network, as [ParseNetwork] gave it, must not be blocked as a whole:
// allow holds for it, as [List.Match] says it of a client, or a network within it is allowed,
// whatever is denied there. The Match names the allowed network, of several within it the
// first by address; its Limits are those that hold for all of the network asked about.
//
// Only a list made by [All] knows the answer.
func (l *List) Allowed(network netip.Prefix) (Match, bool) {
	if l == nil || l.ranger == nil || !sound(network) {
		return Match{}, false
	}
	m := l.about(network)
	if m.Access == Allow {
		return m, true
	}
	// The error can only be that the network is none.
	within, _ := l.ranger.CoveredNetworks(ipNet(network))
	for _, e := range within {
		if e := e.(*entry); e.access == Allow {
			e.decide(&m)
			return m, true
		}
	}
	return Match{}, false
}

// about is what was said about the networks that hold all of one.
func (l *List) about(network netip.Prefix) Match {
	var m Match
	for _, e := range l.holding(network.Addr()) {
		e := e.(*entry)
		if e.network.Bits() > network.Bits() {
			break // it holds only a part
		}
		if e.access != Unsaid {
			e.decide(&m)
		}
		if e.limits != nil {
			m.Limits = m.Limits.under(e.limits.Limits)
		}
	}
	return m
}

// entry finds a network's entry, or makes it.
func (l *List) entry(network netip.Prefix) (*entry, error) {
	if !sound(network) {
		return nil, explain(network.String()) // the trie would take it and never find it again
	}
	for _, e := range l.holding(network.Addr()) {
		if e := e.(*entry); e.network == network {
			return e, nil
		}
	}
	if l.ranger == nil {
		l.ranger = cidranger.NewPCTrieRanger()
	}
	e := &entry{network: network}
	return e, l.ranger.Insert(e)
}

// holding lists the entries whose networks hold addr, the shortest network first.
func (l *List) holding(addr netip.Addr) []cidranger.RangerEntry {
	if l.ranger == nil || !addr.IsValid() {
		return nil
	}
	// The error can only be that the address is none.
	entries, _ := l.ranger.ContainingNetworks(net.IP(addr.AsSlice()))
	return entries
}
