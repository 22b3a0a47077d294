// Package machine knows which addresses are this machine's own. Mail of local programs comes from
// there, so that a strike or a block of such a network would shut out all of them.
package machine

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// readEvery is for how long the kernel's answer is used. To ask takes 50 µs.
const readEvery = time.Second

// loopback is this machine whether or not the kernel answers.
var loopback = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}

// Addresses are those of this machine's interfaces, and 127.0.0.1 and ::1 in any case. The kernel
// is asked when they are needed, once a second at most. The zero Addresses are ready for use, also
// by several goroutines.
type Addresses struct {
	mu   sync.Mutex
	read time.Time
	all  []netip.Addr
}

// In is one of the addresses that the network holds. Without netlink it finds only the loopback
// addresses.
func (a *Addresses) In(network netip.Prefix) (addr netip.Addr, found bool) {
	for _, addr := range loopback {
		if network.Contains(addr) {
			return addr, true
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.read.IsZero() || time.Since(a.read) >= readEvery {
		a.read = time.Now()
		a.all = interfaces(a.all[:0])
	}
	for _, addr := range a.all {
		if network.Contains(addr) {
			return addr, true
		}
	}
	return netip.Addr{}, false
}

// interfaces appends the addresses of the interfaces.
func interfaces(all []netip.Addr) []netip.Addr {
	found, _ := net.InterfaceAddrs()
	for _, f := range found {
		if ipnet, ok := f.(*net.IPNet); ok {
			if addr, ok := netip.AddrFromSlice(ipnet.IP); ok {
				all = append(all, addr.Unmap())
			}
		}
	}
	return all
}
