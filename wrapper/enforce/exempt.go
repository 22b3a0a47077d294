package enforce

import (
	"fmt"
	"net/netip"

	"sendwrap/wrapper/config"
	"sendwrap/wrapper/machine"
	"sendwrap/wrapper/policy"
)

// Exemption says what is not done about a network. Each field is the reason in words; "" means that
// it is done.
type Exemption struct {
	Block    string // the network is not blocked at all
	Sessions string // its live sessions go on
	OnBlock  string // on_block does not run
}

// The networks that are this machine itself, wherever it is.
var loopback = [...]netip.Prefix{
	netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"),
}

// Exempt returns what is not done about a block. The configuration must have been loaded with all
// its networks.
//
// An allowed network is never blocked. on_block, which may be a firewall, does not run for a
// network that contains an allowed one or an address of this machine: sendwrap lets these clients
// through one by one, a firewall would not.
func Exempt(c *config.Config, b Block) Exemption {
	network := b.Network
	allowed, found := c.Networks.Allowed(network)
	if found && allowed.Network.Bits() <= network.Bits() {
		why := fmt.Sprintf("%v is allowed at %v", allowed.Network, allowed.Source)
		return Exemption{Block: why, Sessions: why, OnBlock: why}
	}
	var e Exemption
	observed := ""
	switch {
	case c.Mode == policy.Observe:
		observed = "mode observe enforces nothing"
	case c.IgnoresBlock(b.ByHand):
		observed = "its block line ends in observe"
	}
	switch {
	case observed != "":
		e.Sessions = observed
	case !c.Block.Kill:
		e.Sessions = "block has kill=off"
	}
	switch {
	case c.OnBlock == nil:
		e.OnBlock = "on_block is off"
	case observed != "":
		e.OnBlock = observed
	case network.Overlaps(loopback[0]), network.Overlaps(loopback[1]):
		e.OnBlock = "it is loopback"
	case found:
		e.OnBlock = fmt.Sprintf("it holds %v, which is allowed at %v",
			allowed.Network, allowed.Source)
	default:
		e.OnBlock = OwnAddressIn(network)
	}
	return e
}

// OwnAddressIn says in words which address of this machine the network contains; "" if none.
func OwnAddressIn(network netip.Prefix) string {
	var addresses machine.Addresses
	if own, found := addresses.In(network); found {
		return fmt.Sprintf("it holds %v, an address of this machine", own)
	}
	return ""
}

// onlyLoopback reports whether a network is loopback and nothing else, in the form in which ::1 is
// counted. on_block never runs for it, not even at the end of a block.
func onlyLoopback(network netip.Prefix) bool {
	if network.Addr().Is4() {
		return network.Bits() >= loopback[0].Bits() && network.Overlaps(loopback[0])
	}
	const reserved = 16 // ::/16 has no clients (RFC 4291 §2.4, RFC 6052)
	return network.Bits() >= reserved && network.Overlaps(loopback[1])
}
