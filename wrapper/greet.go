package wrapper

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper/decide"
)

// spurious is the pause after poll(2) has woken us for nothing. It may do so again and again, and
// we must not spin.
const spurious = 10 * time.Millisecond

// Wait delays the greeting and reports what the client did meanwhile, and how long it took to do
// it. A client SHOULD wait for the greeting (RFC 5321 §4.3.1), and for up to five minutes
// (§4.5.3.2.1).
//
// fd must be the client's stream socket. Wait leaves its bytes unread (MSG_PEEK), so that the MTA
// sees the stream from its first byte, and leaves the file status flags alone, since
// the MTA shares them through the open file description.
//
// delay is kept on the monotonic clock to 1 ms, rounded up. A signal does not extend it. A process
// that is stopped may wait longer: the kernel does not count the time for which it is stopped. With
// delay <= 0 Wait looks once and returns. It ends at once when the client speaks or leaves; one
// that speaks and then leaves has spoken.
//
// At each signal that the waiting thread handles, Wait calls over with the time waited so far, if
// it is not nil. If over reports true the wait is over, too, and Wait returns Quiet.
//
// Meanwhile it hears what DNS says about the session, unless that is nil. This may end the wait of
// a quiet client, or change the delay. What is there at the end is still heard, as in a room.
//
// A non-nil error is an *os.SyscallError of poll or recvfrom and comes with Quiet: the
// caller fails open.
func Wait(fd int, delay time.Duration, over func(time.Duration) bool, asking *Session) (
	decide.Greet, time.Duration, error,
) {
	started := time.Now()
	fds := []unix.PollFd{
		{Fd: int32(fd), Events: unix.POLLIN | unix.POLLRDHUP},
		{Fd: -1, Events: unix.POLLIN}, // poll(2) passes over it
	}
	for {
		left := max(0, delay-time.Since(started))
		if asking != nil {
			dns, _ := asking.door.DNSDescriptor()
			fds[1].Fd = int32(dns)
			left = asking.door.pauseForDNS(left)
		}
		_, err := unix.Poll(fds, pollTime(left))
		waited := time.Since(started)
		switch {
		case err == unix.EINTR:
			if over != nil && over(waited) {
				return decide.Quiet, waited, nil
			}
			continue // the deadline stands
		case err != nil:
			return decide.Quiet, waited, os.NewSyscallError("poll", err)
		case fds[0].Revents != 0:
			g, err := Look(fd)
			if g != decide.Quiet || err != nil || waited >= delay {
				return g, waited, err
			}
			time.Sleep(spurious)
		case waited >= delay && fds[1].Revents == 0:
			return decide.Quiet, waited, nil
		}
		if asking != nil {
			var decided bool
			if delay, decided = asking.hearDNS(); decided || waited >= delay {
				g, err := Look(fd) // it may have spoken meanwhile
				return g, waited, err
			}
		}
	}
}

// Look says what the client has done so far, without waiting, by its first unread byte, which stays
// unread. A non-nil error is an *os.SyscallError of recvfrom and comes with Quiet.
func Look(fd int) (decide.Greet, error) {
	var b [1]byte
	_, g, err := peek(fd, b[:])
	return g, err
}

// Look is the function [Look], and takes down what Conclude has to know of a client that has
// spoken.
func (s *Session) Look() (decide.Greet, error) {
	var text [earlyText]byte
	n, g, err := peek(s.FD, text[:])
	if g != decide.Quiet { // after this a decision only computes
		s.renew()
		s.facts()
	}
	if g == decide.Spoke {
		s.hear(early(s.FD, text[:n]))
	}
	return g, err
}

// peek is [Look], and puts the first n bytes into text.
func peek(fd int, text []byte) (n int, g decide.Greet, err error) {
	for {
		n, _, err := syscall.Recvfrom(fd, text, unix.MSG_PEEK|unix.MSG_DONTWAIT)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return 0, decide.Quiet, nil
		case gone(err):
			return 0, decide.Left, nil
		case err != nil:
			return 0, decide.Quiet, os.NewSyscallError("recvfrom", err)
		case n == 0:
			return 0, decide.Left, nil
		}
		return n, decide.Spoke, nil
	}
}

// pollTime is a time as poll(2) takes it: in ms, rounded up.
func pollTime(d time.Duration) int { return int((d + time.Millisecond - 1) / time.Millisecond) }

// gone says whether the error means that the client has left, or cannot be reached any more.
func gone(err error) bool {
	switch err {
	case unix.ECONNRESET, unix.ENOTCONN, unix.EPIPE, unix.ETIMEDOUT, unix.EHOSTUNREACH,
		unix.EHOSTDOWN, unix.ENONET, unix.ENETUNREACH, unix.ECONNREFUSED, unix.ECONNABORTED:
		return true
	}
	return false
}
