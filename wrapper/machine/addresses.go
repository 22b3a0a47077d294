// Package machine knows which addresses are this machine's own. Mail that its programs send comes
// from there, so that a strike or a block of such a network would shut out all of them.
package machine

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// readEvery is how old what the kernel has said may be. To ask it takes 50 µs.
const readEvery = time.Second

// loopback is there whether or not the kernel can be asked.
var loopback = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}

// Addresses are those of this machine's interfaces, and 127.0.0.1 and ::1 in any case. They are
// asked for when they are needed, once a second at most. The zero Addresses are ready for use, by
// several goroutines too.
type Addresses struct {
	mu   sync.Mutex
	read time.Time
	all  []netip.Addr
}

// In is one of them that the network holds, if there is any. An address that the kernel cannot tell
// (no netlink, say) is not found.
func (a *Addresses) In(network netip.Prefix) (netip.Addr, bool) {
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
