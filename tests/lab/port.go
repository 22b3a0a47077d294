package lab

import (
	"net"
	"net/netip"
	"syscall"
)

// FreePort returns a port of an address on which nothing listens, in the network of the calling
// thread.
func FreePort(at netip.Addr) (netip.AddrPort, error) {
	// A child that another test has just forked would have the socket, too, until its execve: then
	// the port would be in use, and seem to have its listener already.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(at, 0)))
	if err != nil {
		return netip.AddrPort{}, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).AddrPort(), nil
}
