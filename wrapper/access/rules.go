package access

import (
	"net/netip"

	"sendwrap/allowlist/rule"
)

// What a policy asks of a map: see policy.AccessMap.

// Match is what the map says of an address.
func (m *Map) Match(client netip.Addr) rule.Match { return m.match(m.LookAddress(client)) }

// HasNames reports whether it matters which names a client has.
func (m *Map) HasNames() bool { return m.hasNames }

// MatchName is what the map says of a name, in any case, with or without a dot at its end. The
// error is always nil: a map in memory can be read.
func (m *Map) MatchName(name string) (rule.Match, error) {
	name, ok := rule.NormalName(name)
	if !ok {
		return rule.Match{}, nil
	}
	return m.match(m.lookName(name)), nil
}

// MatchUnnamed is what it says of a client without a confirmed name, in place of MatchName.
func (m *Map) MatchUnnamed(client netip.Addr) (rule.Match, error) {
	return m.match(m.lookUnnamed(client)), nil
}

func (m *Map) match(found Found) (says rule.Match) {
	for i := range found {
		e := &found[i]
		if e.Value.Kind == Nothing {
			continue
		}
		f := e.Effect()
		if says.Limits = says.Limits.OverriddenBy(f.Limits); f.Access == rule.Unset {
			continue
		}
		says.Access, says.Reply, says.Key = f.Access, f.Reply, e.Key
		says.Network, says.Name = e.Network, e.Name
		says.Source = rule.Source{File: m.File, Line: e.Line}
	}
	return says
}
