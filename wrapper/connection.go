package wrapper

import (
	"errors"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// Connection is a client's TCP connection. IPv4-mapped addresses are unmapped.
type Connection struct {
	FD             int
	Client, Server netip.AddrPort
}

// What fd 0 may be instead of a client.
var (
	ErrNoSocket  = errors.New("stdin is not a TCP socket; sendwrap is started by inetd, xinetd, systemd or tcpserver with the client on it")
	ErrListening = errors.New("stdin is a listening socket")
	ErrGone      = errors.New("the client left before sendwrap started")
)

// Inspect finds out who is on fd. Its error is one of the above, or an *os.SyscallError.
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
	if listening, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err == nil && listening != 0 {
		return c, ErrListening
	}
	peer, err := unix.Getpeername(fd)
	if gone(err) || err == unix.EINVAL {
		return c, ErrGone
	}
	if err != nil {
		return c, os.NewSyscallError("getpeername", err)
	}
	c.Client = addrPort(peer)
	// Without our own address there is only less to log.
	if name, err := unix.Getsockname(fd); err == nil {
		c.Server = addrPort(name)
	}
	return c, nil
}

func addrPort(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), uint16(sa.Port))
	}
	return netip.AddrPort{}
}
