package resolve

import (
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// openEpoll makes FD, and reports whether it is there.
func (r *Resolver) openEpoll(now time.Time) bool {
	if r.epoll >= 0 {
		return true
	}
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		r.retry = now.Add(retryPause)
		return false
	}
	r.epoll = fd
	return true
}

// connect gives the query a socket that is connected to the server at hand, or begins to be, and
// waits for events on it.
func (r *Resolver) connect(q *Query, kind int, events uint32) error {
	s := q.server()
	family := unix.AF_INET
	if s.addr.Addr().Is6() {
		family = unix.AF_INET6
	}
	r.calls.sockets++
	fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	if err := unix.Connect(fd, sockaddr(fd, s)); err != nil && err != unix.EINPROGRESS {
		unix.Close(fd)
		return notLack(err)
	}
	event := unix.EpollEvent{Events: events, Fd: q.slot}
	if err := unix.EpollCtl(r.epoll, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		unix.Close(fd)
		return err
	}
	q.fd = fd
	return nil
}

// notLack is an error of connect(2). EAGAIN there says that no port is free, which may last.
func notLack(err error) error {
	if err == unix.EAGAIN {
		return unix.EADDRNOTAVAIL
	}
	return err
}

// closeSocket closes the socket of a query, which thereby leaves the epoll.
func (r *Resolver) closeSocket(q *Query) {
	if q.fd >= 0 {
		unix.Close(q.fd)
	}
	q.fd, q.stream, q.foreign = -1, nil, 0
}

// sockaddr is a server's address. fd is any socket, to ask for the number of an interface.
func sockaddr(fd int, s *server) unix.Sockaddr {
	addr, port := s.addr.Addr(), int(s.addr.Port())
	if addr.Is4() {
		return &unix.SockaddrInet4{Port: port, Addr: addr.As4()}
	}
	return &unix.SockaddrInet6{Port: port, Addr: addr.As16(), ZoneId: zone(fd, addr.Zone())}
}

// zone is the number of an interface: fe80::1%eth0 is an address only together with it. 0 is none,
// and connect(2) then fails for such an address.
func zone(fd int, name string) uint32 {
	if name == "" {
		return 0
	}
	if n, err := strconv.ParseUint(name, 10, 32); err == nil {
		return uint32(n)
	}
	request, err := unix.NewIfreq(name)
	if err != nil || unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, request) != nil {
		return 0
	}
	return request.Uint32()
}
