package room

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper"
)

// Listening returns nil if fd is a listening TCP socket, else an error that says what to write into
// a systemd unit instead.
func Listening(fd int) error {
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	switch {
	case err == unix.EBADF:
		return errors.New("is not open")
	case err != nil:
		return errors.New("is not a socket")
	}
	listening, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	kind, kindErr := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	switch {
	case domain == unix.AF_UNIX:
		return errors.New("is a local socket, whose clients have no address to decide by; " +
			"write ListenStream=25, or another port")
	case domain != unix.AF_INET && domain != unix.AF_INET6:
		return errors.New("is not an internet socket; " +
			"write ListenStream=25, or another port")
	case kindErr != nil || kind != unix.SOCK_STREAM:
		return errors.New("is not a TCP socket; write ListenStream=, not ListenDatagram=")
	case err != nil || listening == 0:
		return errors.New("is a connection, not a listening socket; " +
			"write Accept=no, or StandardInput=socket with Accept=yes")
	}
	return nil
}

// Listen opens a listening socket on an address: IP:PORT or [IP]:PORT; :PORT and PORT mean all
// addresses, IPv4 and IPv6 on one socket if the machine has both. Names are not looked up. The
// error is an [AddressError] if address is none of these.
func Listen(address string) (int, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil && !strings.ContainsAny(address, ":[]") {
		host, port, err = "", address, nil
	}
	number, portErr := strconv.ParseUint(port, 10, 16)
	if port == "smtp" {
		number, portErr = 25, nil
	}
	if err != nil || portErr != nil {
		return -1, &AddressError{address}
	}
	if host == "" {
		any6, any4 := netip.IPv6Unspecified(), netip.IPv4Unspecified()
		fd, err := openListener(netip.AddrPortFrom(any6, uint16(number)), false)
		if errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EADDRNOTAVAIL) {
			fd, err = openListener(netip.AddrPortFrom(any4, uint16(number)), false)
		}
		return fd, err
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return -1, &AddressError{address}
	}
	return openListener(netip.AddrPortFrom(ip.Unmap(), uint16(number)), true)
}

// Addresses are those on which the sockets listen.
func Addresses(sockets []int) (all []netip.AddrPort) {
	for _, fd := range sockets {
		all = append(all, wrapper.LocalAddr(fd))
	}
	return all
}

// AddressError says that an argument is not an address.
type AddressError struct{ address string }

func (e *AddressError) Error() string {
	return fmt.Sprintf("%q is not an address to listen on; "+
		"write 25, 192.0.2.1:25 or [2001:db8::1]:25", e.address)
}

// backlog is how many connections the kernel keeps until we accept them; net.core.somaxconn may
// make it fewer.
const backlog = 4096

// openListener opens one socket. An IPv6 socket is for IPv6 only, or for both.
func openListener(at netip.AddrPort, only6 bool) (int, error) {
	var name unix.Sockaddr
	family := unix.AF_INET
	if at.Addr().Is4() {
		name = &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}
	} else {
		zone, err := zoneOf(at.Addr())
		if err != nil {
			return -1, err
		}
		family = unix.AF_INET6
		name = &unix.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16(), ZoneId: zone}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, fmt.Errorf("listen on %v: %w", at, err)
	}
	// Without this, sessions of an earlier room would keep the port busy.
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if err == nil && family == unix.AF_INET6 {
		only := 0
		if only6 {
			only = 1
		}
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, only)
	}
	if err == nil {
		err = unix.Bind(fd, name)
	}
	if err == nil {
		err = unix.Listen(fd, backlog)
	}
	if err != nil {
		unix.Close(fd)
		if err == unix.EADDRINUSE {
			return -1, fmt.Errorf("listen on %v: %w; stop the program that has the port: "+
				"inetd, a systemd socket, the MTA's own daemon", at, err)
		}
		return -1, fmt.Errorf("listen on %v: %w", at, err)
	}
	return fd, nil
}

// zoneOf is the number of the interface that a link-local address names.
func zoneOf(a netip.Addr) (uint32, error) {
	if a.Zone() == "" {
		return 0, nil
	}
	i, err := net.InterfaceByName(a.Zone())
	if err != nil {
		return 0, fmt.Errorf("listen on %v: %w", a, err)
	}
	return uint32(i.Index), nil
}
