package wrapper

import (
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper/config"
)

// How much of a refused client's bytes is read after the reply, and for how long. Bytes left
// unread at close make the kernel send RST, at which some clients throw the reply away
// unread; but nobody may hold us by sending on, or by not closing.
const (
	drainBytes = 4096
	drainTime  = 100 * time.Millisecond
)

// say sends one line to the client without waiting. What a full send buffer does not take,
// or a client that left does not get, is lost. CRLF is added.
func say(fd int, line string) {
	b := make([]byte, 0, 512)
	b = append(append(b, line...), "\r\n"...)
	// MSG_NOSIGNAL: a client that is gone must not end us by SIGPIPE.
	_ = unix.Send(fd, b, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
}

// hangUp ends our side of the connection and gives the client a moment to read and close.
func hangUp(fd int) {
	if unix.Shutdown(fd, unix.SHUT_WR) != nil {
		return // it is gone already
	}
	var b [512]byte
	deadline := time.Now().Add(drainTime)
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for drained := 0; drained < drainBytes; {
		left := time.Until(deadline)
		if left <= 0 {
			return
		}
		if _, err := unix.Poll(fds, int((left+time.Millisecond-1)/time.Millisecond)); err != nil && err != unix.EINTR {
			return
		}
		n, _, err := unix.Recvfrom(fd, b[:], unix.MSG_DONTWAIT)
		if n == 0 && err == nil || err != nil && err != unix.EAGAIN && err != unix.EINTR {
			return
		}
		drained += max(0, n)
	}
}

// reply is the line that refuses a client.
func reply(v Verdict, a config.Action, host string) string {
	t := verdicts[v]
	code, status := t.code, t.status
	if v == Pregreet && a == config.Tempfail {
		code, status = "421", "4.5.1"
	}
	return code + " " + status + " " + host + " " + t.text
}
