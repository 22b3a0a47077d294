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

// Match is what the map says of an address.
func (r *Rules) Match(client netip.Addr) (m rule.Match) {
	for tag := range Tags {
		r.add(&m, r.of.byNetwork(tag, client.Unmap().WithZone(""), false))
	}
	return m
}

// HasNames reports whether it matters which names a client has.
func (r *Rules) HasNames() bool { return r.hasNames }

// MatchName is what the map says of a name, in any case, with or without a dot at its end.
func (r *Rules) MatchName(name string) (m rule.Match) {
	name, ok := rule.NormalName(name)
	if !ok {
		return m
	}
	for tag := range Tags {
		r.add(&m, r.of.byName(tag, name))
	}
	return m
}

// MatchUnnamed is what it says of a client without a confirmed name, in place of MatchName.
func (r *Rules) MatchUnnamed(client netip.Addr) (m rule.Match) {
	for tag := range Tags {
		r.add(&m, r.of.byNetwork(tag, client.Unmap().WithZone(""), true))
	}
	return m
}

// add adds what an entry says.
func (r *Rules) add(m *rule.Match, e Entry) {
	if e.Value.Kind == Nothing {
		return
	}
	f := e.Effect()
	m.Limits = m.Limits.OverriddenBy(f.Limits)
	if f.Access == rule.Unset {
		return
	}
	m.Access, m.Reply, m.Key = f.Access, f.Reply, e.Key
	m.Network, m.Name = e.Network, e.Name
	m.Source = rule.Source{File: r.file, Line: e.Line}
}
