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
}

// Rules say what the administrator has said about the network and the name of a client: an
// *allowlist.List, or what a compiled policy has. Nothing is said about a name that the client's
// own addresses do not confirm: the caller must have asked.
type Rules interface {
	Match(client netip.Addr) rule.Match
	HasNames() bool                   // MatchName can find something
	MatchName(name string) rule.Match // see [rule.Match.Or]
}
