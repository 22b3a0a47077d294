package policy

import (
	"net/netip"

	"sendwrap/allowlist/rule"
)

// Policy is what the processes decide by. Its settings do not change, but for the host name (see
// wrapper.HostName).
type Policy struct {
	*Settings
	Rules
	Map AccessMap // nil = none
}

// HasNames reports whether names of clients matter.
func (p *Policy) HasNames() bool {
	return p.Rules.HasNames() || p.Map != nil && p.Map.HasNames()
}

// Rules say what the administrator has said about the network and the name of a client: they are
// those of an allowlist.List, or of a compiled policy. Nothing is said about a name that the
// client's own addresses do not confirm: the caller must have asked.
//
// An error of MatchName, or of MatchUnnamed, says that a compiled policy cannot be read any more,
// or is damaged. The Match is zero then: nothing holds.
type Rules interface {
	Match(client netip.Addr) rule.Match
	HasNames() bool                            // MatchName can find something
	MatchName(name string) (rule.Match, error) // see [rule.Match.Or]
}

// AccessMap says what the access map of a sendmail site says of a client. A Match allows where the
// map says OK, and denies where it refuses; SKIP is nothing. What it says of a name comes before
// what it says of an address, and all that sendwrap.conf says comes before both.
type AccessMap interface {
	Rules
	MatchUnnamed(client netip.Addr) (rule.Match, error) // in place of MatchName: it has no name
}
