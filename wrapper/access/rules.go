package access

import (
	"net/netip"

	"sendwrap/allowlist/rule"
)

// Rules are what a map says, as a policy has it: see policy.AccessMap. They may be used by several
// goroutines.
type Rules struct {
	of       *Map
	file     string
	hasNames bool
}

// Rules are those of the map, which was read from that file.
func (m *Map) Rules(file string) *Rules {
	r := &Rules{of: m, file: file}
	for i := range m.entries {
		e := &m.entries[i]
		r.hasNames = r.hasNames || e.Name != "" || e.Unresolved
	}
	return r
}

// LookAddress is [Map.Look] without what the map says of names, or of clients without one.
func (m *Map) LookAddress(client netip.Addr) Found { return m.lookNetworks(client, false) }

func (m *Map) lookNetworks(client netip.Addr, unresolved bool) (found Found) {
	for tag := range Tags {
		e := m.byNetwork(tag, client.Unmap().WithZone(""), unresolved)
		if e.Value.Kind != Skip {
			found[tag] = e
		}
	}
	return found
}

// Match is what the map says of an address.
func (r *Rules) Match(client netip.Addr) rule.Match { return r.match(r.of.LookAddress(client)) }

// HasNames reports whether it matters which names a client has.
func (r *Rules) HasNames() bool { return r.hasNames }

// MatchName is what the map says of a name, in any case, with or without a dot at its end.
func (r *Rules) MatchName(name string) (m rule.Match) {
	name, ok := rule.NormalName(name)
	if !ok {
		return m
	}
	var found Found
	for tag := range Tags {
		if e := r.of.byName(tag, name); e.Value.Kind != Skip {
			found[tag] = e
		}
	}
	return r.match(found)
}

// MatchUnnamed is what it says of a client without a confirmed name, in place of MatchName.
func (r *Rules) MatchUnnamed(client netip.Addr) rule.Match {
	return r.match(r.of.lookNetworks(client, true))
}

func (r *Rules) match(found Found) (m rule.Match) {
	for i := range found {
		e := &found[i]
		if e.Value.Kind == Nothing {
			continue
		}
		f := e.Effect()
		if m.Limits = m.Limits.OverriddenBy(f.Limits); f.Access == rule.Unset {
			continue
		}
		m.Access, m.Reply, m.Key = f.Access, f.Reply, e.Key
		m.Network, m.Name = e.Network, e.Name
		m.Source = rule.Source{File: r.file, Line: e.Line}
	}
	return m
}
