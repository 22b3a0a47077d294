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

	// Unread is why something could not be read that a rule says of a name, or of clients without
	// one. Such a rule does not hold. It is nil as long as all could be read.
	Unread error
}

// HasNames reports whether names of clients matter.
func (p *Policy) HasNames() bool {
	return p.Rules.HasNames() || p.Map != nil && p.Map.HasNames()
}

// Rules say what the administrator has said about the network and the name of a client: an
// *allowlist.List, or what a compiled policy has. Nothing is said about a name that the client's
// own addresses do not confirm: the caller must have asked.
type Rules interface {
	Match(client netip.Addr) rule.Match
	HasNames() bool                   // MatchName can find something
	MatchName(name string) rule.Match // see [rule.Match.Or]
}

// AccessMap says what the access map of a sendmail site says of a client. A Match allows where the
// map says OK, and denies where it refuses; SKIP is nothing. What it says of a name comes before
// what it says of an address, and all that sendwrap.conf says comes before both.
type AccessMap interface {
	Rules
	MatchUnnamed(client netip.Addr) rule.Match // in place of MatchName: it has no confirmed name
}
