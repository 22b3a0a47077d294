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
// The last ones are kept for clients that need not wait: else thousands that only sit there would
// lock them out. A client that is one too many reads that it may come back later.

// forKnown is which part of the descriptors is kept for clients that need not wait.
const forKnown = 16

// full says whether there is no descriptor for a client that has to wait.
func (r *room) full(fd int) bool { return fd >= r.capacity-max(1, r.capacity/forKnown) }

// leastTime is how long a refused client has to read its reply at least, whoever wants its
// descriptor.
const leastTime = 20 * time.Millisecond

// lower gives the client on one of our last descriptors a lower number, which clients that only read
// their replies may have to make free. It is below zero if there is none, and the client is
// refused.
func (r *room) lower(fd int, client netip.Addr) int {
	r.hush()
	for c := r.draining.first; c != nil && r.now >= c.refused+leastTime; c = r.draining.first {
		r.dismiss(c)
	}
	low, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil || low >= r.capacity {
		if err == nil {
			unix.Close(low)
		}
		r.turnOff(fd, client)
		return -1
	}
	unix.Close(fd)
	return low
}

// turnOff refuses a client that cannot be held.
func (r *room) turnOff(fd int, client netip.Addr) {
	r.door.RefuseAtOnce(fd, client)
	unix.Close(fd)
	r.refused++
	r.shed.note(r)
}

// useReserve gives up the reserve, to tell the client that is next what the matter is. Left alone
// it would keep the poller awake, and never learn why nobody speaks.
func (r *room) useReserve(l *listener) bool {
	unix.Close(r.reserve)
	fd, from, err := syscall.Accept4(l.fd, unix.SOCK_CLOEXEC)
	if err == nil {
		r.turnOff(fd, wrapper.AddrPort(from).Addr())
	}
	r.reserve = openReserve()
	return err == nil
}

// openReserve opens a descriptor that is good for nothing but to be closed.
func openReserve() int {
	fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1
	}
	return fd
}

// shed counts those turned away because no descriptor was left. The log hears of the first and what
// to do, and then once a minute how many they were, for as long as it goes on.
type shed struct {
	n     int  // within this minute
	told  int  // of them the log has heard
	on    bool // it goes on
	since time.Duration
}

func (s *shed) note(r *room) {
	s.n++
	if s.on {
		return
	}
	s.on, s.told, s.since = true, 1, r.now
	r.warnf("%d of %d descriptors are taken; newcomers read 421 4.3.2; raise LimitNOFILE= or ulimit -n", r.held, r.capacity)
}

// report says how many they were, when the minute is over. It reports whether there is nothing to
// be said.
func (s *shed) report(r *room) (done bool) {
	switch {
	case !s.on:
		return true
	case r.now-s.since < seldomEvery:
		return false
	case s.n == s.told:
		*s = shed{}
		return true
	}
	r.warnf("%d newcomers read 421 4.3.2 within %d s, as no descriptor was free", s.n, int((r.now - s.since).Seconds()))
	*s = shed{on: true, since: r.now}
	return false
}
