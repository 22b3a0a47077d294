package enforce

import (
	"fmt"
	"net"
	"net/netip"

	"sendwrap/wrapper/config"
)

// Spared is what is not done about a network, each with the reason in words; "" is that it is done.
type Spared struct {
	Block    string // it is not even blocked
	Sessions string // its live sessions do not end
	OnBlock  string // the administrator's program is not told
}

// The networks that are this machine itself, wherever it is.
var loopback = [...]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// Spare decides what is not done about a network. The configuration must have been loaded with all its networks.
//
// What is allowed is never blocked, and a program that may well be a firewall is never told of a network that holds something
// allowed, or ourselves: the door lets these through one by one, a firewall would not.
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
		if ours, is := ownAddress(network); is {
			s.OnBlock = fmt.Sprintf("it holds %v, an address of this machine", ours)
		}
	}
	return s
}

// ownAddress is an address of this machine's that the network holds.
func ownAddress(network netip.Prefix) (netip.Addr, bool) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return netip.Addr{}, false
	}
	for _, a := range all {
		if ipnet, ok := a.(*net.IPNet); ok {
			if addr, ok := netip.AddrFromSlice(ipnet.IP); ok && network.Contains(addr.Unmap()) {
				return addr.Unmap(), true
			}
		}
	}
	return netip.Addr{}, false
}
