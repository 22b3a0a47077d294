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
	DrainTime  = 100 * time.Millisecond
	drainBytes = 4096
)

// say sends one line to the client without waiting. What a full send buffer does not take,
// or a client that left does not get, is lost. CRLF is added.
func say(fd int, line string) { send(fd, line, 0) }

// sayLast is say for a line after which our side ends: both go into one packet.
func sayLast(fd int, line string) { send(fd, line, unix.MSG_MORE) }

func send(fd int, line string, more int) {
	b := make([]byte, 0, 512)
	b = append(append(b, line...), "\r\n"...)
	// MSG_NOSIGNAL: a client that is gone must not end us by SIGPIPE.
	_ = unix.Send(fd, b, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL|more)
}

// endOurs ends our side of the connection, and reports whether there still is another.
func endOurs(fd int) bool { return unix.Shutdown(fd, unix.SHUT_WR) == nil }

// Drain reads, without waiting, what a refused client has sent, before its connection is closed.
func Drain(fd int) {
	var b [512]byte
	for range drainBytes / len(b) {
		if n, _, err := unix.Recvfrom(fd, b[:], unix.MSG_DONTWAIT); err != nil || n < len(b) {
			return
		}
	}
}

// linger gives a refused client a moment to read its reply and close.
func linger(fd int) {
	deadline := time.Now().Add(DrainTime)
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	var b [512]byte
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
