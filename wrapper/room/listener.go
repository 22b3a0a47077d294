package room

import (
	"math"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper"
)

// listener is a socket on which clients arrive.
type listener struct {
	fd       int
	addr     netip.AddrPort // unless it listens at all addresses
	blocking bool           // as we got it, so that we leave it as it was
	ready    bool           // somebody has come
	rests    time.Duration  // the poller does not know it until then; 0 = it does
}

const (
	// acceptBatch is how many clients are taken from a socket before others get on.
	acceptBatch = 64

	// acceptRest is the pause after the kernel had no memory for another client.
	acceptRest = 100 * time.Millisecond
)

// listenOn takes a socket on which clients arrive. It is made non-blocking: another process on the same socket may
// be quicker to accept.
func (r *room) listenOn(fd int) error {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	l := &listener{fd: fd, blocking: flags&unix.O_NONBLOCK == 0}
	if addr := addrOf(syscall.Getsockname(fd)); addr.IsValid() && !addr.Addr().IsUnspecified() {
		l.addr = addr
	}
	r.listeners = append(r.listeners, l)
	return r.poller.add(fd, listenerEvents)
}

// pauseListening leaves those who come to the kernel, for a while or for ever.
func (r *room) pauseListening() {
	for _, l := range r.listeners {
		if l.rests == 0 {
			r.poller.remove(l.fd)
		}
		l.ready, l.rests = false, forEver
	}
}

// resumeListening ends the pause at the next accept.
func (r *room) resumeListening() {
	for _, l := range r.listeners {
		l.rests = r.now
	}
}

const forEver = time.Duration(math.MaxInt64)

// accept takes the clients that have come.
func (r *room) accept() {
	for _, l := range r.listeners {
		if l.rests > 0 && l.rests <= r.now {
			l.rests, l.ready = 0, true
			if err := r.poller.add(l.fd, listenerEvents); err != nil {
				l.rests = r.now + acceptRest
				continue
			}
		}
		if l.ready {
			l.ready = false // if there are more, the poller says so once again
			r.acceptFrom(l)
		}
	}
}

func (r *room) acceptFrom(l *listener) {
	for range acceptBatch {
		// Not by x/sys, which asks the kernel for the protocol of each address: one more system call for each.
		fd, from, err := syscall.Accept4(l.fd, unix.SOCK_CLOEXEC)
		switch err {
		case nil:
			r.accepted(l, fd, from)
		case unix.EAGAIN:
			return
		case unix.EMFILE, unix.ENFILE:
			if !r.makeRoom(l) {
				r.rest(l)
				return
			}
		case unix.ENOBUFS, unix.ENOMEM, unix.EBADF, unix.EINVAL, unix.ENOTSOCK, unix.EFAULT, unix.EPERM:
			r.rest(l)
			return
		default:
			// That client is gone, or the way to it (accept(2)); the next may be better.
		}
	}
}

// accepted lets the client in, unless its descriptor is one of the last.
func (r *room) accepted(l *listener, fd int, from syscall.Sockaddr) {
	if fd >= r.capacity {
		for c := range r.draining.all { // they have had some time; the next client gets one of theirs
			r.dismiss(c)
		}
		r.turnOff(fd)
		return
	}
	conn := wrapper.Connection{FD: fd, Client: addrOf(from, nil), Server: l.addr}
	if !conn.Server.IsValid() {
		conn.Server = addrOf(syscall.Getsockname(fd))
	}
	r.arrive(conn)
}

// addrOf is a socket address, IPv4-mapped IPv6 unmapped; the zero AddrPort if there is none.
func addrOf(sa syscall.Sockaddr, err error) netip.AddrPort {
	switch sa := sa.(type) {
	case *syscall.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *syscall.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), uint16(sa.Port))
	}
	return netip.AddrPort{}
}

// makeRoom gives up the reserve, to tell the client that is next what the matter is. Left alone it would keep the
// poller awake, and never learn why nobody speaks.
func (r *room) makeRoom(l *listener) bool {
	unix.Close(r.reserve)
	fd, _, err := syscall.Accept4(l.fd, unix.SOCK_CLOEXEC)
	if err == nil {
		r.turnOff(fd)
	}
	r.reserve = openReserve()
	return err == nil
}

// turnOff refuses a client for which there is no descriptor.
func (r *room) turnOff(fd int) {
	r.door.TurnOff(fd)
	unix.Close(fd)
	r.shed++
	r.refused++
	if ok, _ := r.shedding.allows(r.now); ok && r.shedding.n == 1 {
		r.warnf("%d of %d descriptors are taken; newcomers are told 421 4.3.2; raise LimitNOFILE= or ulimit -n", r.held, r.capacity)
	}
}

// rest leaves the socket alone for a moment.
func (r *room) rest(l *listener) {
	r.poller.remove(l.fd)
	l.rests = r.now + acceptRest
}

// openReserve opens a descriptor that is good for nothing but to be closed.
func openReserve() int {
	fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1
	}
	return fd
}
