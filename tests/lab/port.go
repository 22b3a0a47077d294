package lab

import (
	"net"
	"net/netip"
)

// FreePort returns a port of an address on which nothing listens, in the network of the calling
// thread.
func FreePort(at netip.Addr) (netip.AddrPort, error) {
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(at, 0)))
	if err != nil {
		return netip.AddrPort{}, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).AddrPort(), nil
}
