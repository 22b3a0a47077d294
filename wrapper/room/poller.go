package room

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// poller waits for all descriptors of a room at once (epoll(7)).
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

// The events that the poller waits for. Of a waiting client it reports only the first thing that
// the client does (EPOLLONESHOT), which decides. What the client has said stays unread for the MTA,
// and would otherwise be reported in every round.
const (
	clientEvents   = unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLONESHOT
	dialogueEvents = unix.EPOLLIN | unix.EPOLLRDHUP
	listenerEvents = unix.EPOLLIN | unix.EPOLLEXCLUSIVE // wakes one of several rooms on a socket
)

func (p *poller) add(fd int, events uint32) error {
	return p.control(unix.EPOLL_CTL_ADD, fd, events)
}

// watchDialogue reports everything that the client on fd does until remove. Watched says that the
// poller watches the client already.
func (p *poller) watchDialogue(fd int, watched bool) error {
	op := unix.EPOLL_CTL_ADD
	if watched {
		op = unix.EPOLL_CTL_MOD
	}
	return p.control(op, fd, dialogueEvents)
}

func (p *poller) control(op, fd int, events uint32) error {
	e := unix.EpollEvent{Events: events, Fd: int32(fd)}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(p.fd, op, fd, &e))
}

// remove must come before the descriptor is closed if another process has it too: the kernel
// watches the open file, not the descriptor.
func (p *poller) remove(fd int) {
	_ = unix.EpollCtl(p.fd, unix.EPOLL_CTL_DEL, fd, nil)
}

// wait returns the events that have happened, after atMost at the latest; a negative atMost means
// no limit.
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
