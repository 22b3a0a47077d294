package main

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// swarm is an attacker with many connections at a time. One thread serves all of them: on a small
// machine the others must not wait for the attacker.
type swarm struct {
	to    netip.AddrPort
	from  func(n int) netip.Addr // where connection n comes from
	says  string                 // each, at once; "" = it waits quietly
	size  int                    // connections at a time
	most  int                    // connections in all
	stays bool                   // after the greeting; else a connection that is greeted leaves

	here    atomic.Int64 // connections that the server has not ended
	greeted atomic.Int64 // of these, that have a session
	ended   atomic.Int64 // connections that are over
	full    atomic.Bool  // as many have come as are to be there at a time

	quit chan struct{}
	done chan error
}

// start lets the swarm come. It comes until stop, but no more connections than most.
func (s *swarm) start() *swarm {
	s.quit, s.done = make(chan struct{}), make(chan error, 1)
	go func() { s.done <- s.run() }()
	return s
}

// stop ends all connections. The error says why the attack was not as planned.
func (s *swarm) stop() error {
	close(s.quit)
	return <-s.done
}

// run connects, and connects again for each slammer that was refused and each session that was
// ended.
func (s *swarm) run() error {
	ahead()
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	defer unix.Close(ep)
	open := make(map[int32]*client)
	defer func() {
		for _, c := range open {
			c.abort()
		}
	}()
	came := 0
	come := func() error {
		c, err := dial(s.from(came), s.to)
		if err != nil {
			return err
		}
		came++
		open[int32(c.fd)] = c
		if s.says != "" {
			if err := c.write(s.says); err != nil && !cut(err) {
				return err
			}
		}
		event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(c.fd)}
		err = unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, c.fd, &event)
		return os.NewSyscallError("epoll_ctl", err)
	}
	for came < min(s.size, s.most) && !s.stopped() {
		if err := come(); err != nil {
			return err
		}
		s.here.Add(1)
	}
	s.full.Store(true)
	for events := make([]unix.EpollEvent, 256); ; {
		n, err := unix.EpollWait(ep, events, 20)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("epoll_wait", err)
		}
		if s.stopped() {
			return nil
		}
		for _, e := range events[:max(n, 0)] {
			c := open[e.Fd]
			if c == nil || !s.over(c) { // nil: it ended in this round, and its number is another's
				continue
			}
			delete(open, e.Fd)
			c.close()
			// A client that would have stayed, but was refused a session, does not come again.
			again := s.says != "" || s.stays && len(c.buf) > 0
			if !again || came == s.most {
				s.here.Add(-1)
			} else if err := come(); err != nil {
				return err
			}
			s.ended.Add(1)
		}
	}
}

// ahead gives the goroutine a thread of its own that has priority over all others. In reality
// clients and attackers have machines of their own. The thread ends with the goroutine.
func ahead() {
	runtime.LockOSThread()
	_ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), -20)
}

func (s *swarm) stopped() bool {
	select {
	case <-s.quit:
		return true
	default:
		return false
	}
}

// over reads what the server sends on a connection, and reports whether that ends it.
func (s *swarm) over(c *client) bool {
	var b [1024]byte
	n, _, err := unix.Recvfrom(c.fd, b[:], unix.MSG_DONTWAIT)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		return false
	}
	if err != nil || n == 0 {
		if len(c.buf) > 0 { // it had a session
			s.greeted.Add(-1)
		}
		return true
	}
	// Postscreen has sent the first line of the greeting before, "220-".
	hello := []byte("220 ")
	if !bytes.HasPrefix(b[:n], hello) && !bytes.Contains(b[:n], append([]byte("\n"), hello...)) {
		return false
	}
	if !s.stays {
		return true
	}
	if len(c.buf) == 0 {
		c.buf = hello
		s.greeted.Add(1)
	}
	return false
}

// settles waits until all have come, and each has its session or was refused, or nothing has
// changed for so long.
func (s *swarm) settles(quiet time.Duration) error {
	var last [2]int64
	since := time.Now()
	return await("the attack is under way", func() (bool, error) {
		now := [2]int64{s.greeted.Load(), s.ended.Load()}
		if !s.full.Load() || now != last {
			last, since = now, time.Now()
		}
		all := s.full.Load() && now[0]+now[1] >= int64(s.size)
		return all || time.Since(since) > quiet, s.failed()
	})
}

// turnsOver waits until as many connections are over as there are at a time.
func (s *swarm) turnsOver() error {
	return await("the attack is under way", func() (bool, error) {
		return s.ended.Load() >= int64(s.size), s.failed()
	})
}

// failed returns the error that has ended the attack, if one has.
func (s *swarm) failed() error {
	select {
	case err := <-s.done:
		s.done <- err // for stop
		return err
	default:
		return nil
	}
}
