package allowlist

import (
	"net"
	"net/netip"
	"slices"

	"github.com/yl2chen/cidranger"

	"sendwrap/allowlist/rule"
)

// List is what the administrator has said about networks and names. SetAccess and SetLimits fill
// it, Match asks it, and for names SetNameAccess, SetNameLimits and MatchName. A nil List is empty.
type List struct {
	// Widen says of a network whether it holds wide networks that have limits; see
	// [rule.Limits.Widened]. nil: there are none. Set it before asking.
	Widen func(network netip.Prefix) [rule.MaxWide]bool

	all      bool
	clients  []netip.Addr     // the clients to ask about, unless all
	networks int              // calls about them
	ranger   cidranger.Ranger // nil until a network is kept: most clients are in none
	names    names
	repeats  []Repeat // only if all
}

// Repeat is a network or name that has the same access on two lines. This is harmless, but the
// administrator must know it to change either line.
type Repeat struct {
	What          string
	Access        rule.Access
	First, Second rule.Source
}

// maxRepeats is how many repeats a list keeps.
const maxRepeats = 100

// For returns a list that answers for one client, or a few. It keeps only networks that contain one
// of them: a hundred thousand others cost no memory, and one comparison each. It finds conflicts
// only among the networks that it keeps. It keeps all names, since nobody knows yet which one a
// client has.
func For(clients ...netip.Addr) *List {
	l := &List{clients: make([]netip.Addr, len(clients))}
	for i, c := range clients {
		l.clients[i] = normalized(c)
	}
	return l
}

// All returns a list that answers for any client and finds every conflict. A network costs 10 µs
// and 1.5 kB (BenchmarkAll).
func All() *List { return &List{all: true} }

// normalized is a client's address in the form that networks contain: not IPv4-mapped, and without
// a zone, since a netip.Prefix contains no address that has one.
func normalized(client netip.Addr) netip.Addr { return client.Unmap().WithZone("") }

// Len counts the calls of SetAccess and SetLimits, also for networks that were not kept.
func (l *List) Len() int {
	if l == nil {
		return 0
	}
	return l.networks
}

// SetAccess allows or denies a network that [ParseNetwork] has returned. The same access a second
// time is harmless, and the first Source stays. The opposite is an *[Error] that names the first
// place, and the network is allowed: no client is refused for good while the intention is unclear.
func (l *List) SetAccess(network netip.Prefix, a rule.Access, src rule.Source) error {
	l.networks++
	if !l.keeps(network) {
		return nil
	}
	e, err := l.entry(network)
	if err != nil || a == rule.Unset {
		return err
	}
	if before, at := e.setAccess(a, src); before != rule.Unset {
		return l.twice(Repeat{network.String(), a, at, src}, before)
	}
	return nil
}

// twice notes a second access of the same network or name, or returns the error if the one before
// was the opposite.
func (l *List) twice(r Repeat, before rule.Access) error {
	if before != r.Access {
		return AccessTwice(r.What, r.Access, before, r.First)
	}
	if l.all && len(l.repeats) < maxRepeats {
		l.repeats = append(l.repeats, r)
	}
	return nil
}

// SetLimits gives limits of its own to a network that [ParseNetwork] has returned. A later call for
// the same network adds further limits. Another value for the same limit is an *[Error] that names
// the first place, and then nothing is added.
func (l *List) SetLimits(network netip.Prefix, limits rule.Limits, src rule.Source) error {
	l.networks++
	if !l.keeps(network) {
		return nil
	}
	e, err := l.entry(network)
	if err != nil {
		return err
	}
	if k, at, contradicts := e.addLimits(limits, src); contradicts {
		return LimitTwice(network.String(), k, at)
	}
	return nil
}

// keeps reports whether the list needs the network.
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

// Match returns what applies to a client. A list made by [For] answers for its own clients only:
// for another client the Match is zero.
func (l *List) Match(client netip.Addr) rule.Match {
	client = normalized(client)
	if l == nil || !l.all && !slices.Contains(l.clients, client) {
		return rule.Match{}
	}
	return l.MatchNetwork(netip.PrefixFrom(client, client.BitLen()))
}

// Repeats returns the first hundred networks and names that have the same access on two lines, in
// the order of the second lines. Only a list made by [All] has them.
func (l *List) Repeats() []Repeat { return l.repeats }

// Allowed reports whether a network must not be blocked as a whole: it is allowed, or a network
// within it is, even if others within it are denied. The Match names the allowed network; of
// several within it, the first by address. Its Limits apply to all of the network asked about.
//
// Only a list made by [All] knows the answer. A network must be as [ParseNetwork] returns it.
func (l *List) Allowed(network netip.Prefix) (rule.Match, bool) {
	if l == nil || l.ranger == nil || !isCanonical(network) {
		return rule.Match{}, false
	}
	m := l.MatchNetwork(network)
	if m.Access == rule.Allow {
		return m, true
	}
	// An error would mean an invalid network, which isCanonical has excluded.
	within, _ := l.ranger.CoveredNetworks(ipNet(network))
	for _, e := range within {
		if e := e.(*entry); e.access == rule.Allow {
			e.copyAccess(&m)
			return m, true
		}
	}
	return rule.Match{}, false
}

// MatchNetwork returns what applies to all of a network, leaving aside the networks within it.
func (l *List) MatchNetwork(network netip.Prefix) rule.Match {
	var m rule.Match
	for _, e := range l.containing(network.Addr()) {
		e := e.(*entry)
		if e.network.Bits() > network.Bits() {
			break // it contains only a part
		}
		if e.access != rule.Unset {
			e.copyAccess(&m)
		}
		if e.limits != nil {
			limits := e.limits.Limits
			if l.Widen != nil {
				limits = limits.Widened(l.Widen(e.network))
			}
			m.Limits = m.Limits.OverriddenBy(limits)
		}
	}
	return m
}

// entry finds a network's entry, or creates it.
func (l *List) entry(network netip.Prefix) (*entry, error) {
	if !isCanonical(network) {
		return nil, explain(network.String()) // the trie would take it, but never find it
	}
	for _, e := range l.containing(network.Addr()) {
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

// containing lists the entries whose networks contain addr, the shortest network first.
func (l *List) containing(addr netip.Addr) []cidranger.RangerEntry {
	if l.ranger == nil || !addr.IsValid() {
		return nil
	}
	// An error would mean an invalid address.
	entries, _ := l.ranger.ContainingNetworks(net.IP(addr.AsSlice()))
	return entries
}
