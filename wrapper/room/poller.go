package room

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// poller waits for all the descriptors of a room at once (epoll(7)).
type poller struct {
	fd     int
	events [256]unix.EpollEvent
}

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	return &poller{fd: fd}, nil
}

// What is waited for. Of a client only the first thing that it does is told (EPOLLONESHOT): that
// decides, and one that has spoken and is not read, since its bytes are for the MTA, would else
// keep the loop spinning.
const (
	clientEvents   = unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLONESHOT
	followEvents   = unix.EPOLLIN | unix.EPOLLRDHUP
	listenerEvents = unix.EPOLLIN | unix.EPOLLEXCLUSIVE // of several rooms on one socket only one is woken
)

func (p *poller) add(fd int, events uint32) error {
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)}))
}

// follow has everything told that the client on fd does, until it is removed; known says that the
// poller has it already.
func (p *poller) follow(fd int, known bool) error {
	op := unix.EPOLL_CTL_ADD
	if known {
		op = unix.EPOLL_CTL_MOD
	}
	e := unix.EpollEvent{Events: followEvents, Fd: int32(fd)}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(p.fd, op, fd, &e))
}

// remove must come before the descriptor is closed if another process has it too: the kernel
// watches the open file, not its number.
func (p *poller) remove(fd int) {
	_ = unix.EpollCtl(p.fd, unix.EPOLL_CTL_DEL, fd, nil)
}

// wait returns the descriptors to which something has happened, after this time at the latest;
// below zero there is no such time.
func (p *poller) wait(atMost time.Duration) ([]unix.EpollEvent, error) {
	ms := -1
	if atMost >= 0 {
		ms = int((atMost + time.Millisecond - 1) / time.Millisecond)
	}
	n, err := unix.EpollWait(p.fd, p.events[:], ms)
	if err == unix.EINTR {
		return nil, nil
	}
	return p.events[:max(0, n)], os.NewSyscallError("epoll_wait", err)
}

// monotonic is the time on a clock that nobody sets (CLOCK_MONOTONIC), good for comparison with
// itself.
func monotonic() time.Duration {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) // cannot fail
	return time.Duration(ts.Nano())
}
