package guard

import (
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper/milter"
)

// A client that sends MAIL, its recipients and DATA at once gets all replies at once, too: an MTA
// writes them when it has nothing more to read. When the session ends in the midst of that, what
// was answered so far must reach the client, and the answer to the next recipient must not.

const (
	// flushTime is how long Postfix keeps a reply at most before it writes what there is
	// (smtpd_chat_reply: more than 10 s, counted in whole seconds, since it last read or wrote).
	flushTime = 11 * time.Second

	// progressEvery is how often Postfix hears meanwhile that we are at it: well below what
	// milter_command_timeout is set to. sendmail takes that at the end of a message only.
	progressEvery = time.Second

	// ackTime is how long a client may take to confirm what was written to it, before it is cut
	// off.
	ackTime = 2 * time.Second

	// askAgain is the pause between two looks at a socket.
	askAgain = 10 * time.Millisecond
)

// outbox is what an MTA has written to a client when it last began to keep its replies, as far as
// we have seen.
type outbox struct {
	written int64
	since   time.Time
}

// part ends the session with its last answer, about a bad recipient or anything else, and has what
// the MTA has answered so far reach the client. No MTA reads more of the client then.
//
//   - Postfix does not listen to what we say of a bad recipient. So it is held until it writes what
//     it has, see [session.flush]. Then it reads the end of the connection; or it has read another
//     command already, and asks us: then it is cut off.
//   - sendmail ends at a 421, and writes what it has at its end.
//   - But sendmail -bs under TLS loses it: it has closed the descriptor by then. So it hears no
//     421, goes on with what it has read, writes, and reads the end of the connection. It is told
//     to throw the message away, of which there will be none: for such a message it asks neither us
//     nor its tables whether recipients exist, and takes them all.
func (s *session) part(bad bool) milter.Answer {
	defer s.cutAfter(answerTime)
	if !s.open || !s.deafen() {
		return s.over
	}
	switch {
	case s.postfix && bad:
		s.flush()
	case s.loses() && s.named:
		return milter.Discard
	}
	return s.over
}

// loses says whether the MTA loses what it has answered when it ends the session.
func (s *session) loses() bool { return s.inetd && s.tls }

// mark looks whether Postfix has written since the last time. It is called when Postfix asks, and
// so waits for us.
func (s *session) mark() (keeps bool) {
	if !s.postfix {
		return false
	}
	written, ok := s.written()
	if ok && !s.outbox.since.IsZero() && s.outbox.written == written {
		return true
	}
	s.outbox = outbox{}
	if ok {
		s.outbox = outbox{written, time.Now()}
	}
	return false
}

// written is how many bytes the MTA has written to its client; false where that cannot be seen.
func (s *session) written() (n int64, ok bool) {
	s.withSocket(func(fd int) {
		if info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			n, ok = int64(info.Bytes_sent-info.Bytes_retrans)+int64(info.Notsent_bytes), true
		}
	})
	return n, ok
}

// flush has Postfix write the replies that it keeps, and the one that it is about to give with
// them: it does so by itself when it has kept them for long.
func (s *session) flush() {
	if !s.keeps {
		return
	}
	for until := s.outbox.since.Add(flushTime); time.Now().Before(until) && s.guard.stop.Err() == nil; {
		if err := s.wire.Send(string(milter.Progress)); err != nil {
			return
		}
		s.guard.sleep(min(progressEvery, time.Until(until)))
	}
}

// deaf is a filter for a socket that takes the headers of what arrives, so that the client learns
// what has arrived of ours, and nothing else.
var deaf = unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 1}

// deafen ends what the MTA can read from its client: it sees the end of the connection when it has
// done with what it has read already, and leaves as it does then. What is left unread is thrown
// away, since the kernel would answer it with a reset at the end, upon which replies are lost. It
// reports whether that could be done.
func (s *session) deafen() (done bool) {
	s.withSocket(func(fd int) {
		err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &deaf})
		if err != nil || unix.Shutdown(fd, unix.SHUT_RD) != nil {
			return
		}
		done = true
		var b [4096]byte
		for range 1 << 10 { // a window is 4 MB at most
			if n, _, err := unix.Recvfrom(fd, b[:], unix.MSG_DONTWAIT); err != nil || n == 0 {
				return
			}
		}
	})
	return done
}

// confirmed waits until the client has confirmed all that was written to it, for a moment.
func (s *session) confirmed() {
	for deadline := time.Now().Add(ackTime); time.Now().Before(deadline) && s.guard.stop.Err() == nil; {
		left := 0
		s.withSocket(func(fd int) { left, _ = unix.IoctlGetInt(fd, unix.SIOCOUTQ) })
		if left == 0 {
			return
		}
		s.guard.sleep(askAgain)
	}
}
