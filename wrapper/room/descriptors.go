package room

import (
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper"
)

// When descriptors run out
//
// The last descriptors are kept for clients that need not wait: otherwise thousands that only sit
// there would lock them out. A client for which there is none reads 421.

// knownShare is which part of the descriptors is kept for clients that need not wait: one in 16.
const knownShare = 16

// full reports whether no descriptor is left for a client that has to wait.
func (r *room) full(fd int) bool { return fd >= r.capacity-max(1, r.capacity/knownShare) }

// minReadTime is how long a refused client at least has to read its reply, even if another client
// needs its descriptor.
const minReadTime = 20 * time.Millisecond

// lowerDescriptor moves the client on one of the last descriptors to a lower one. Clients that only
// read their replies may lose theirs for it. If none is free, lowerDescriptor refuses the client
// and returns -1.
func (r *room) lowerDescriptor(fd int, client netip.Addr) int {
	r.endDialogues()
	for c := r.draining.first; c != nil && r.now >= c.refused+minReadTime; c = r.draining.first {
		r.drainAndClose(c)
	}
	low, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil || low >= r.capacity {
		if err == nil {
			unix.Close(low)
		}
		r.refuseUnheld(fd, client)
		return -1
	}
	unix.Close(fd)
	return low
}

// refuseUnheld refuses a client for which there is no descriptor.
func (r *room) refuseUnheld(fd int, client netip.Addr) {
	r.door.RefuseAtOnce(fd, client)
	unix.Close(fd)
	r.refused++
	r.logShortage()
}

// logShortage logs that a client was refused because descriptors are short, and what to do.
func (r *room) logShortage() {
	if r.limiter.Allow(r.now, 1, shortageClients) {
		r.warnf("%d of %d descriptors are in use; new clients get 421 4.3.2; "+
			"raise LimitNOFILE= or ulimit -n", r.held, r.capacity)
	}
}

// useReserve closes the reserve to accept and refuse the next client. If that client stayed in the
// kernel's queue, it would wake the poller all the time, and never get a reply.
func (r *room) useReserve(l *listener) bool {
	unix.Close(r.reserve)
	fd, from, err := syscall.Accept4(l.fd, unix.SOCK_CLOEXEC)
	if err == nil {
		r.refuseUnheld(fd, wrapper.AddrPort(from).Addr())
	}
	r.reserve = openReserve()
	return err == nil
}

// openReserve opens a descriptor that is only there to be closed.
func openReserve() int {
	fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1
	}
	return fd
}
