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
	fd       int
	addr     netip.AddrPort // zero if it listens on all addresses
	blocking bool           // when we got it
	ready    bool           // clients have come
	// pausedUntil is when the poller watches it again; 0: it does.
	pausedUntil time.Duration

	most  int // how many clients are accepted in the next round
	tried int // for so many more rounds, no attempt is made to accept more
}

const (
	// acceptBatch is how many clients are accepted from a socket before others have their turn.
	acceptBatch = 64

	// acceptTries is in how many rounds one is made at most that accepts more clients than come. It
	// costs a system call. If fewer are accepted than have come, the poller reports the socket
	// again.
	acceptTries = 8

	// acceptPause is the pause after the kernel had no memory for another client.
	acceptPause = 100 * time.Millisecond

	forever = time.Duration(math.MaxInt64)
)

// addListener adds a listening socket. The socket is made non-blocking, because another process on
// the same socket may accept the client that the poller has reported.
func (r *room) addListener(fd int) error {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	l := &listener{fd: fd, most: 1, blocking: flags&unix.O_NONBLOCK == 0}
	if addr := wrapper.LocalAddr(fd); addr.IsValid() && !addr.Addr().IsUnspecified() {
		l.addr = addr
	}
	r.listeners = append(r.listeners, l)
	return r.poller.add(fd, listenerEvents)
}

// pauseListening leaves new clients in the kernel's queue until resumeListening.
func (r *room) pauseListening() {
	for _, l := range r.listeners {
		if l.pausedUntil == 0 {
			r.poller.remove(l.fd)
		}
		l.ready, l.pausedUntil = false, forever
	}
}

// resumeListening ends the pause in the next round.
func (r *room) resumeListening() {
	for _, l := range r.listeners {
		l.pausedUntil = r.now
	}
}

// accept accepts the clients that have come. An error means that no listening socket is left.
func (r *room) accept() error {
	defer r.decideArrivals()
	for _, l := range slices.Clone(r.listeners) {
		if l.pausedUntil > 0 && l.pausedUntil <= r.now {
			l.pausedUntil, l.ready = 0, true
			if err := r.poller.add(l.fd, listenerEvents); err != nil {
				l.pausedUntil = r.now + acceptPause
				continue
			}
		}
		if !l.ready {
			continue
		}
		l.ready = false // if there are more, the poller reports it again
		if err := r.acceptFrom(l); err != nil {
			if err := r.dropListener(l, err); err != nil {
				return err
			}
		}
	}
	return nil
}

// acceptFrom accepts clients from one socket: one, or as many as are likely to have come. An error
// means that the socket is useless.
func (r *room) acceptFrom(l *listener) error {
	for n := range l.most {
		// x/sys would make one more system call for each client, to ask for the socket's protocol.
		fd, from, err := syscall.Accept4(l.fd, unix.SOCK_CLOEXEC)
		switch err {
		case nil:
			r.now = r.clock.now() // or the last clients would wait less than the greet delay
			r.accepted(l, fd, from)
		case unix.EAGAIN:
			l.most, l.tried = max(1, n), acceptTries
			return nil
		case unix.EMFILE, unix.ENFILE:
			if !r.useReserve(l) {
				r.pauseListener(l)
				return nil
			}
		case unix.ENOBUFS, unix.ENOMEM, unix.EPERM:
			r.pauseListener(l)
			return nil
		case unix.EBADF, unix.EINVAL, unix.ENOTSOCK, unix.EOPNOTSUPP, unix.EFAULT:
			return err
		default:
			// This client is gone, or the network to it is down (accept(2)). Try the next one.
		}
	}
	switch {
	case l.tried > 0:
		l.tried--
	case r.crowd:
		l.most = min(2*l.most, acceptBatch)
	}
	return nil
}

// dropListener gives up a socket that is broken: another process that has it too may have shut it
// down.
func (r *room) dropListener(l *listener, why error) error {
	r.poller.remove(l.fd)
	r.listeners = slices.DeleteFunc(r.listeners, func(other *listener) bool { return other == l })
	if len(r.listeners) == 0 {
		return fmt.Errorf("listening socket %d: accept: %w", l.fd, why)
	}
	r.warnf("listening socket %d: accept: %v; serving on the other sockets", l.fd, why)
	return nil
}

// pauseListener leaves the socket alone for a moment.
func (r *room) pauseListener(l *listener) {
	r.poller.remove(l.fd)
	l.pausedUntil = r.now + acceptPause
}

// accepted takes in an accepted client, if there is a descriptor for it.
func (r *room) accepted(l *listener, fd int, from syscall.Sockaddr) {
	if fd >= r.capacity {
		if fd = r.lowerDescriptor(fd, wrapper.AddrPort(from).Addr()); fd < 0 {
			return
		}
	}
	conn := wrapper.Connection{FD: fd, Client: wrapper.AddrPort(from), Server: l.addr}
	if !conn.Server.IsValid() {
		conn.Server = wrapper.LocalAddr(fd)
	}
	r.arrive(conn)
}
