package room

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// When descriptors run out
//
// The last ones are kept for clients that need not wait, lest thousands who only sit there lock them out. Whoever is one too many
// is told to come back later.

// forKnown is which part of the descriptors is kept for those who need not wait.
const forKnown = 16

// full says whether there is no descriptor for a client that has to wait.
func (r *room) full(fd int) bool { return fd >= r.capacity-max(1, r.capacity/forKnown) }

// leastTime is how long a refused client has to read its reply at least, whoever wants its descriptor.
const leastTime = 20 * time.Millisecond

// lower gives the client on one of our last descriptors a lower number, which those who are only reading their replies may have to
// make free. It is below zero if there is none, and the client is refused.
func (r *room) lower(fd int) int {
	for c := r.draining.first; c != nil && r.now >= c.refused+leastTime; c = r.draining.first {
		r.dismiss(c)
	}
	low, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil || low >= r.capacity {
		if err == nil {
			unix.Close(low)
		}
		r.turnOff(fd)
		return -1
	}
	unix.Close(fd)
	return low
}

// turnOff refuses a client that cannot be held.
func (r *room) turnOff(fd int) {
	r.door.RefuseUnheld(fd)
	unix.Close(fd)
	r.refused++
	r.shed.note(r)
}

// useReserve gives up the reserve, to tell the client that is next what the matter is. Left alone it would keep the
// poller awake, and never learn why nobody speaks.
func (r *room) useReserve(l *listener) bool {
	unix.Close(r.reserve)
	fd, _, err := syscall.Accept4(l.fd, unix.SOCK_CLOEXEC)
	if err == nil {
		r.turnOff(fd)
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

// shed counts those turned away for want of a descriptor. The log hears of the first, and a minute later how many they were.
type shed struct {
	n     int
	since time.Duration
}

func (s *shed) note(r *room) {
	if s.n == 0 {
		s.since = r.now
		r.warnf("%d of %d descriptors are taken; newcomers are told 421 4.3.2; raise LimitNOFILE= or ulimit -n", r.held, r.capacity)
	}
	s.n++
}

// report says how many they were, when the minute is over. It reports whether there is nothing to be said.
func (s *shed) report(r *room) (done bool) {
	if s.n == 0 {
		return true
	}
	if r.now-s.since < seldomEvery {
		return false
	}
	if s.n > 1 {
		r.warnf("%d newcomers were told 421 4.3.2 within %d s for want of a descriptor", s.n, int((r.now - s.since).Seconds()))
	}
	s.n = 0
	return true
}
