package room

import (
	"fmt"
	"math"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper"
)

// listener is a socket on which clients arrive.
type listener struct {
	fd        int
	addr      netip.AddrPort // unless it listens at all addresses
	blocking  bool           // as we got it, so that we leave it as it was
	ready     bool           // somebody has come
	restsTill time.Duration  // the poller does not know it until then; 0 = it does
}

const (
	// acceptBatch is how many clients are taken from a socket before others get on.
	acceptBatch = 64

	// acceptRest is the pause after the kernel had no memory for another client.
	acceptRest = 100 * time.Millisecond

	forEver = time.Duration(math.MaxInt64)
)

// listenOn takes a socket on which clients arrive. It is made non-blocking: another process on the
// same socket may be quicker to accept.
func (r *room) listenOn(fd int) error {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	l := &listener{fd: fd, blocking: flags&unix.O_NONBLOCK == 0}
	if addr := wrapper.LocalAddr(fd); addr.IsValid() && !addr.Addr().IsUnspecified() {
		l.addr = addr
	}
	r.listeners = append(r.listeners, l)
	return r.poller.add(fd, listenerEvents)
}

// pauseListening leaves those who come to the kernel, for a while or for ever.
func (r *room) pauseListening() {
	for _, l := range r.listeners {
		if l.restsTill == 0 {
			r.poller.remove(l.fd)
		}
		l.ready, l.restsTill = false, forEver
	}
}

// resumeListening ends the pause at the next accept.
func (r *room) resumeListening() {
	for _, l := range r.listeners {
		l.restsTill = r.now
	}
}

// accept takes the clients that have come. An error says that there is no socket left that could
// bring any.
func (r *room) accept() error {
	for _, l := range slices.Clone(r.listeners) {
		if l.restsTill > 0 && l.restsTill <= r.now {
			l.restsTill, l.ready = 0, true
			if err := r.poller.add(l.fd, listenerEvents); err != nil {
				l.restsTill = r.now + acceptRest
				continue
			}
		}
		if !l.ready {
			continue
		}
		l.ready = false // if there are more, the poller says so once again
		if err := r.acceptFrom(l); err != nil {
			if err := r.lose(l, err); err != nil {
				return err
			}
		}
	}
	return nil
}

// acceptFrom takes the clients that have come to one socket. Its error says that none will any
// more.
func (r *room) acceptFrom(l *listener) error {
	for range acceptBatch {
		// Not by x/sys, which asks the kernel for the protocol of each address: one more system
		// call for each.
		fd, from, err := syscall.Accept4(l.fd, unix.SOCK_CLOEXEC)
		switch err {
		case nil:
			r.now = monotonic() // for each, or the last ones would wait less than the greet delay
			r.accepted(l, fd, from)
		case unix.EAGAIN:
			return nil
		case unix.EMFILE, unix.ENFILE:
			if !r.useReserve(l) {
				r.rest(l)
				return nil
			}
		case unix.ENOBUFS, unix.ENOMEM, unix.EPERM:
			r.rest(l)
			return nil
		case unix.EBADF, unix.EINVAL, unix.ENOTSOCK, unix.EOPNOTSUPP, unix.EFAULT:
			return err
		default:
			// That client is gone, or the way to it (accept(2)); the next may be better.
		}
	}
	return nil
}

// lose gives up a socket that is broken: shut down by another process that has it too, say.
func (r *room) lose(l *listener, why error) error {
	r.poller.remove(l.fd)
	r.listeners = slices.DeleteFunc(r.listeners, func(other *listener) bool { return other == l })
	if len(r.listeners) == 0 {
		return fmt.Errorf("listening socket %d: accept: %w", l.fd, why)
	}
	r.warnf("listening socket %d: accept: %v; going on with the others", l.fd, why)
	return nil
}

// rest leaves the socket alone for a moment.
func (r *room) rest(l *listener) {
	r.poller.remove(l.fd)
	l.restsTill = r.now + acceptRest
}

// accepted lets the client in, if there is a descriptor for it.
func (r *room) accepted(l *listener, fd int, from syscall.Sockaddr) {
	if fd >= r.capacity {
		if fd = r.lower(fd, wrapper.AddrPort(from).Addr()); fd < 0 {
			return
		}
	}
	conn := wrapper.Connection{FD: fd, Client: wrapper.AddrPort(from), Server: l.addr}
	if !conn.Server.IsValid() {
		conn.Server = wrapper.LocalAddr(fd)
	}
	r.arrive(conn)
}
