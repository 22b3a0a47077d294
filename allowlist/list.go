package allowlist

import (
	"net"
	"net/netip"
	"slices"

	"github.com/yl2chen/cidranger"
)

// List is what the administrator said about networks. It is filled with SetAccess and
// SetLimits and then asked with Match; a nil List is one where nothing was said.
type List struct {
	all     bool
	clients []netip.Addr // those asked about, unless all
	named   int
	ranger  cidranger.Ranger // nil as long as no network is kept: most clients are in none
	repeats []Repeat         // of a list that is asked about all
}

// Repeat is that the same access was said of a network twice. It is harmless, but an administrator
// who changes one of the two should know.
type Repeat struct {
	Network      netip.Prefix
	Access       Access
	First, Again Source
}

// maxRepeats is how many of them a list keeps.
const maxRepeats = 100

// Match is what holds for one client. The zero Match says nothing.
type Match struct {
	Access  Access       // of the longest allowed or denied network that holds the client
	Network netip.Prefix // that network
	Source  Source       // where it was said
	Limits  Limits       // from all networks that hold the client, the longest first, key by key
}

// For makes a list that answers for one client, or a few. It keeps only networks that hold one of
// them, so naming a hundred thousand others costs neither memory nor more than a look at each.
// Conflicts are found among the networks kept.
func For(clients ...netip.Addr) *List {
	l := &List{clients: make([]netip.Addr, len(clients))}
	for i, c := range clients {
		l.clients[i] = plain(c)
	}
	return l
}

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
// names the first place, and then it is allowed: nobody who may be meant to is refused for good.
func (l *List) SetAccess(network netip.Prefix, a Access, src Source) error {
	l.named++
	if !l.keeps(network) {
		return nil
	}
	e, err := l.entry(network)
	if err != nil || a == Unsaid {
		return err
	}
	if e.access == a {
		if l.all && len(l.repeats) < maxRepeats {
			l.repeats = append(l.repeats, Repeat{network, a, e.accessAt, src})
		}
		return nil
	}
	if e.access != Unsaid {
		err = wrong("keep one of the two",
			"%s of %s contradicts %s at %s", a, network, e.access, e.accessAt)
	}
	if e.access != Allow {
		e.access, e.accessAt = a, src
	}
	return err
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

func (l *List) keeps(network netip.Prefix) bool {
	if l.all {
		return true
	}
	for _, c := range l.clients {
		if network.Contains(c) {
			return true
		}
	}
	return false
}

// Match says what holds for a client. A list made by [For] knows of its own clients only
// and says nothing about another.
func (l *List) Match(client netip.Addr) Match {
	client = plain(client)
	if l == nil || !l.all && !slices.Contains(l.clients, client) {
		return Match{}
	}
	return l.About(netip.PrefixFrom(client, client.BitLen()))
}

// Repeats are the first hundred networks of which the same access was said twice, in the order of
// the second lines. Only a list made by [All] knows them.
func (l *List) Repeats() []Repeat { return l.repeats }

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
	m := l.About(network)
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

// About is what holds for all of a network, as far as nothing else is said of one within it.
func (l *List) About(network netip.Prefix) Match {
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
