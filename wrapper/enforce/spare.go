package enforce

import (
	"fmt"
	"net/netip"

	"sendwrap/wrapper/config"
	"sendwrap/wrapper/machine"
)

// Spared is what is not done about a network, each with the reason in words; "" is that it is done.
type Spared struct {
	Block    string // it is not even blocked
	Sessions string // its live sessions do not end
	OnBlock  string // the administrator's program does not run
}

// The networks that are this machine itself, wherever it is.
var loopback = [...]netip.Prefix{
	netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"),
}

// Spare decides what is not done about a network. The configuration must have been loaded with all
// its networks.
//
// A network that is allowed is never blocked. on_block, which may well be a firewall, does not run
// for a network that holds an allowed one or an address of this machine: the door lets these
// through one by one, a firewall would not.
func Spare(c *config.Config, network netip.Prefix) Spared {
	allowed, holds := c.Networks.Allowed(network)
	if holds && allowed.Network.Bits() <= network.Bits() {
		why := fmt.Sprintf("%v is allowed at %v", allowed.Network, allowed.Source)
		return Spared{Block: why, Sessions: why, OnBlock: why}
	}
	var s Spared
	switch {
	case c.Mode == config.Observe:
		s.Sessions = "mode observe enforces nothing"
	case !c.Block.Kill:
		s.Sessions = "block has kill=off"
	}
	switch {
	case c.OnBlock == nil:
		s.OnBlock = "on_block is off"
	case c.Mode == config.Observe:
		s.OnBlock = "mode observe enforces nothing"
	case network.Overlaps(loopback[0]), network.Overlaps(loopback[1]):
		s.OnBlock = "it is loopback"
	case holds:
		s.OnBlock = fmt.Sprintf("it holds %v, which is allowed at %v", allowed.Network, allowed.Source)
	default:
		s.OnBlock = Own(network)
	}
	return s
}

// Own says that the network holds an address of this machine, and which; "" if it holds none.
func Own(network netip.Prefix) string {
	var addresses machine.Addresses
	if own, is := addresses.In(network); is {
		return fmt.Sprintf("it holds %v, an address of this machine", own)
	}
	return ""
}

// onlyLoopback says whether a network is loopback and nothing else, as ::1 is counted. on_block
// never hears of it, not even of the end of a block.
func onlyLoopback(network netip.Prefix) bool {
	if network.Addr().Is4() {
		return network.Bits() >= loopback[0].Bits() && network.Overlaps(loopback[0])
	}
	const reserved = 16 // ::/16 has no clients (RFC 4291 §2.4, RFC 6052)
	return network.Bits() >= reserved && network.Overlaps(loopback[1])
}
