// Package machine knows which addresses are this machine's own. Mail of local programs comes from
// there, so that a strike or a block of such a network would shut out all of them.
package machine

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"
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

// interfaces appends the addresses of the interfaces: rtnetlink(7), RTM_GETADDR. What package
// syscall has for that puts all messages on the heap, in the process of each refused client.
func interfaces(all []netip.Addr) []netip.Addr {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return all
	}
	defer unix.Close(fd)
	var request [header + 4]byte // and a struct rtgenmsg for all families
	binary.NativeEndian.PutUint32(request[0:], uint32(len(request)))
	binary.NativeEndian.PutUint16(request[4:], unix.RTM_GETADDR)
	binary.NativeEndian.PutUint16(request[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	if _, err := unix.Write(fd, request[:]); err != nil {
		return all
	}
	var answer [8 << 10]byte // the kernel sends no more at once: NLMSG_GOODSIZE
	for more := true; more; {
		n, err := unix.Read(fd, answer[:])
		if err != nil {
			return all
		}
		all, more = appendMessages(all, answer[:n])
	}
	return all
}

// Sizes of struct nlmsghdr and struct ifaddrmsg.
const (
	header  = unix.SizeofNlMsghdr
	address = unix.SizeofIfAddrmsg
)

// appendMessages appends the addresses in messages of the kernel, and reports whether more of them
// follow.
func appendMessages(all []netip.Addr, messages []byte) (_ []netip.Addr, more bool) {
	for len(messages) >= header {
		size := int(binary.NativeEndian.Uint32(messages))
		kind := binary.NativeEndian.Uint16(messages[4:])
		if size < header || size > len(messages) || kind == unix.NLMSG_DONE ||
			kind == unix.NLMSG_ERROR {
			return all, false
		}
		if kind == unix.RTM_NEWADDR && size >= header+address {
			all = appendOwn(all, messages[header+address:size])
		}
		messages = messages[min(aligned(size), len(messages)):]
	}
	return all, true
}

// appendOwn appends the address of an interface. On a link to a peer, IFA_ADDRESS is the peer's and
// IFA_LOCAL our own; elsewhere both are ours, and an IPv6 address may have IFA_ADDRESS alone.
func appendOwn(all []netip.Addr, attributes []byte) []netip.Addr {
	var own netip.Addr
	for len(attributes) >= unix.SizeofRtAttr {
		size := int(binary.NativeEndian.Uint16(attributes))
		kind := binary.NativeEndian.Uint16(attributes[2:])
		if size < unix.SizeofRtAttr || size > len(attributes) {
			break
		}
		if kind == unix.IFA_LOCAL || kind == unix.IFA_ADDRESS && !own.IsValid() {
			if addr, ok := netip.AddrFromSlice(attributes[unix.SizeofRtAttr:size]); ok {
				own = addr.Unmap()
			}
		}
		attributes = attributes[min(aligned(size), len(attributes)):]
	}
	if own.IsValid() {
		all = append(all, own)
	}
	return all
}

// aligned is where the next message or attribute begins.
func aligned(size int) int { return (size + 3) &^ 3 }
