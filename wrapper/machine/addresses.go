// Package machine knows which addresses are this machine's own. Mail of local programs comes from
// there, so that a strike or a block of such a network would shut out all of them.
package machine

import (
	"net/netip"
	"sync"
	"syscall"
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

// interfaces appends the addresses of the interfaces. It asks the kernel as package net does, and
// not that package: each client's process would load it.
func interfaces(all []netip.Addr) []netip.Addr {
	answer, err := syscall.NetlinkRIB(syscall.RTM_GETADDR, syscall.AF_UNSPEC)
	if err != nil {
		return all
	}
	messages, err := syscall.ParseNetlinkMessage(answer)
	if err != nil {
		return all
	}
	for _, m := range messages {
		if m.Header.Type != syscall.RTM_NEWADDR {
			continue
		}
		// It skips the struct ifaddrmsg.
		if attributes, err := syscall.ParseNetlinkRouteAttr(&m); err == nil {
			all = appendOwn(all, attributes)
		}
	}
	return all
}

// appendOwn appends the address of an interface. On a link to a peer, IFA_ADDRESS is the peer's and
// IFA_LOCAL our own; elsewhere both are ours, and an IPv6 address may have IFA_ADDRESS alone.
func appendOwn(all []netip.Addr, attributes []syscall.NetlinkRouteAttr) []netip.Addr {
	var own netip.Addr
	for _, a := range attributes {
		local := a.Attr.Type == syscall.IFA_LOCAL
		if !local && (a.Attr.Type != syscall.IFA_ADDRESS || own.IsValid()) {
			continue
		}
		if addr, ok := netip.AddrFromSlice(a.Value); ok {
			own = addr.Unmap()
		}
	}
	if own.IsValid() {
		all = append(all, own)
	}
	return all
}
