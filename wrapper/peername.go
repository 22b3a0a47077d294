package wrapper

import (
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// formerPeer is getpeername(2) for a connection that has been reset, by SO_PEERNAME (socket(7) does
// not name it; sk_getsockopt in Linux's net/core/sock.c). It is the zero AddrPort if the kernel
// does not know.
//
// No function of package unix asks for a name with the exact length, which the kernel wants.
// Package reflect has the address of memory, too, but keeps the methods of all types in the
// program.
func formerPeer(fd, domain int) netip.AddrPort {
	var name unix.RawSockaddrInet6
	size := uint32(unix.SizeofSockaddrInet4)
	if domain == unix.AF_INET6 {
		size = unix.SizeofSockaddrInet6
	}
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT,
		uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERNAME,
		uintptr(unsafe.Pointer(&name)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return netip.AddrPort{}
	}
	addr := netip.AddrFrom16(name.Addr).Unmap()
	if domain == unix.AF_INET {
		addr = netip.AddrFrom4(*(*[4]byte)(unsafe.Pointer(&name.Flowinfo))) // sin_addr lies there
	}
	port := name.Port<<8 | name.Port>>8 // of the network's byte order
	return netip.AddrPortFrom(addr, port)
}
