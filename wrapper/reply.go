package wrapper

import (
	"net/netip"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/policy"
)

// How much of a refused client's bytes is read after the reply, and for how long. Bytes left unread
// at close make the kernel send RST, and some clients then throw the reply away. But no client may
// hold us by sending more, or by not closing.
const (
	DrainTime  = 100 * time.Millisecond
	drainBytes = 4096
)

// say sends one line to the client without waiting, and adds CRLF. If the send buffer is full or
// the client has left, the line is lost.
func say(fd int, line string) { send(fd, line, false) }

// sayLast is say for a line after which our side ends: both go into one packet.
func sayLast(fd int, line string) { send(fd, line, true) }

func send(fd int, line string, last bool) {
	b := make([]byte, 0, 512)
	sendLines(fd, append(append(b, line...), "\r\n"...), last)
}

// sendLines sends whole lines without waiting, and reports whether the kernel has taken all of
// them.
func sendLines(fd int, lines []byte, last bool) bool {
	if len(lines) == 0 {
		return true
	}
	flags := unix.MSG_DONTWAIT | unix.MSG_NOSIGNAL // SIGPIPE would end us
	if last {
		flags |= unix.MSG_MORE
	}
	n, err := unix.SendmsgN(fd, lines, nil, nil, flags)
	return err == nil && n == len(lines)
}

// endOurs ends our side of the connection, and reports whether the connection was still there.
func endOurs(fd int) bool { return unix.Shutdown(fd, unix.SHUT_WR) == nil }

// Drain reads, without waiting, what a refused client has sent, before its connection is closed.
func Drain(fd int) {
	var b [512]byte
	for range drainBytes / len(b) {
		if n, _, err := syscall.Recvfrom(fd, b[:], unix.MSG_DONTWAIT); err != nil || n < len(b) {
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
		if _, err := unix.Poll(fds, pollTime(left)); err != nil && err != unix.EINTR {
			return
		}
		n, _, err := syscall.Recvfrom(fd, b[:], unix.MSG_DONTWAIT)
		if n == 0 && err == nil || err != nil && err != unix.EAGAIN && err != unix.EINTR {
			return
		}
		drained += max(0, n)
	}
}

// Reply is the line that tells a client the verdict, without its end.
func Reply(v decide.Verdict, client netip.Addr, by *policy.Settings) string {
	return reply(v, policy.Reject, client, by)
}

// ReplyCode is the code with which [Reply] begins.
func ReplyCode(v decide.Verdict) string {
	code, _, _ := v.Refusal()
	return code
}

// reply is Reply with what on_pregreet says about an early talker.
func reply(v decide.Verdict, a policy.Action, client netip.Addr, by *policy.Settings) string {
	code, status, text := v.Refusal()
	if v == decide.Pregreet && a == policy.Tempfail {
		code, status = "421", "4.5.1"
	}
	return refusal(code+" "+status, client, text, by)
}

// refusal names both ends: the client's postmaster may have many addresses, and reads the line in a
// bounce, days later.
func refusal(code string, client netip.Addr, text string, by *policy.Settings) string {
	return code + " " + HostName(by) + " " + literal(client) + " " + text + help(by.Contact)
}

// literal is an address as SMTP writes it (RFC 5321 §4.1.3), IPv6 with its tag. It is spelled as in
// our log, so that one grep finds both.
func literal(client netip.Addr) string {
	switch {
	case !client.IsValid():
		return "your address"
	case client.Is4():
		return "[" + client.String() + "]"
	}
	return "[IPv6:" + client.WithZone("").String() + "]"
}

// help says where a client's postmaster finds help.
func help(contact string) string {
	switch {
	case contact == "":
		return ""
	case strings.HasPrefix(contact, "https://"), strings.HasPrefix(contact, "http://"):
		return "; see " + contact
	}
	return "; contact " + contact
}
