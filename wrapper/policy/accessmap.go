package policy

import (
	"net/netip"

	"sendwrap/allowlist/rule"
)

// accessMap is the access map in a compiled policy, for the client that Open was asked about.
type accessMap struct {
	*Compiled
	match rule.Match
}

func (a *accessMap) Match(client netip.Addr) rule.Match {
	if !a.client.IsValid() || normalized(client) != a.client {
		return rule.Match{}
	}
	return a.match
}

func (a *accessMap) HasNames() bool {
	return a.header.access.names.pages > 0 || a.header.unnamed.isThere()
}

func (a *accessMap) MatchName(name string) (rule.Match, error) {
	return a.lookupName(&a.header.access.names, name)
}

// MatchUnnamed reads the file, as MatchName does.
func (a *accessMap) MatchUnnamed(client netip.Addr) (rule.Match, error) {
	return a.lookup(&a.header.unnamed, normalized(client))
}
