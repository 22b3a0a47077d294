package wrapper

import (
	"errors"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Connection is a client's TCP connection. IPv4-mapped addresses are unmapped.
type Connection struct {
	FD             int
	Client, Server netip.AddrPort
}

// What fd 0 may be instead of a client.
var (
	ErrNoSocket = errors.New("stdin is not a TCP socket; " +
		"sendwrap is started by inetd, xinetd, systemd or tcpserver with the client on it")
	ErrListening = errors.New("stdin is a listening socket")
	ErrGone      = errors.New("the client left before sendwrap started")
)

// Inspect finds out which client is on fd. Its error is one of the above, or an *os.SyscallError.
// With [ErrGone] the kernel mostly still knows the client; else Client is the zero AddrPort.
func Inspect(fd int) (Connection, error) {
	c := Connection{FD: fd}
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil || domain != unix.AF_INET && domain != unix.AF_INET6 {
		return c, ErrNoSocket
	}
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil || kind != unix.SOCK_STREAM {
		return c, ErrNoSocket
	}
	listening, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err == nil && listening != 0 {
		return c, ErrListening
	}
	c.Server = LocalAddr(fd)
	peer, err := syscall.Getpeername(fd)
	switch {
	case gone(err), err == unix.EINVAL:
		c.Client = formerPeer(fd, domain)
		return c, ErrGone
	case err != nil:
		return c, os.NewSyscallError("getpeername", err)
	}
	c.Client = AddrPort(peer)
	return c, nil
}

// AddrPort is a socket's address, IPv4-mapped IPv6 unmapped; the zero AddrPort if it is none of the
// internet. It is one of package syscall, since package unix makes a further system call for each.
func AddrPort(sa syscall.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *syscall.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *syscall.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), uint16(sa.Port))
	}
	return netip.AddrPort{}
}

// LocalAddr is our address on the socket; the zero AddrPort if there is none.
func LocalAddr(fd int) netip.AddrPort {
	sa, _ := syscall.Getsockname(fd)
	return AddrPort(sa)
}
