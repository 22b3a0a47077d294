package try

import (
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// stdio is two descriptors of any kind, with a bound on each wait and on all of them.
type stdio struct {
	in, out int
	until   time.Time
}

func (s stdio) Read(p []byte) (int, error) {
	until := time.Now().Add(idleTime)
	if s.until.Before(until) {
		until = s.until
	}
	if err := await(s.in, unix.POLLIN, until); err != nil {
		return 0, err
	}
	n, err := unix.Read(s.in, p)
	if n == 0 && err == nil {
		return 0, io.EOF
	}
	return max(0, n), err
}

// Write writes all of p in one system call: POLLOUT means room for more than any of our replies (a
// third of a socket's buffer, a page of a pipe's).
func (s stdio) Write(p []byte) (int, error) {
	if err := await(s.out, unix.POLLOUT, time.Now().Add(unreadTime)); err != nil {
		return 0, err
	}
	n, err := unix.Write(s.out, p)
	return max(0, n), err
}

// await waits until the descriptor is ready. The error is os.ErrDeadlineExceeded if it is not in
// time.
func await(fd int, events int16, until time.Time) error {
	fds := []unix.PollFd{{Fd: int32(fd), Events: events}}
	for {
		left := time.Until(until)
		if left <= 0 {
			return os.ErrDeadlineExceeded
		}
		n, err := unix.Poll(fds, int(left.Milliseconds())+1)
		if n > 0 || err != nil && err != unix.EINTR {
			return err
		}
	}
}
