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

// Rules say what the administrator has said about the network of a client: an *allowlist.List, or
// the networks of a compiled policy.
type Rules interface {
	Match(client netip.Addr) rule.Match
}
