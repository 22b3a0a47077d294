package guard

import (
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper/milter"
)

// A client that sends MAIL, its recipients and DATA at once gets all replies at once, too: an MTA
// writes them when it has nothing more to read. When the session ends before that, the replies so
// far must reach the client, and the reply to the next recipient must not.

const (
	// flushTime is how long Postfix holds a reply at most before it writes (smtpd_chat_reply: more
	// than 10 s, counted in whole seconds, since it last read or wrote).
	flushTime = 11 * time.Second

	// progressEvery is how often Postfix gets a progress answer meanwhile: well below its
	// milter_command_timeout. sendmail accepts these only at the end of a message.
	progressEvery = time.Second

	// ackTime is how long a client may take to acknowledge the last replies before it is
	// disconnected.
	ackTime = 2 * time.Second

	// pollEvery is the pause between two looks at a socket.
	pollEvery = 10 * time.Millisecond
)

// outbox is how much an MTA had written to its client when it began to hold its replies.
type outbox struct {
	written int64
	since   time.Time
}

// finish ends the session with its final answer, for a bad recipient or anything else, and lets the
// replies so far reach the client. The MTA reads nothing more from the client.
//
//   - Postfix ignores our answer about a bad recipient. So it waits for our answer until it has
//     written what it holds, see [session.flush]. Then it reads the end of the connection; or it
//     has already read another command, and asks the guard: then the client is disconnected.
//   - sendmail ends at a 421, and writes what it holds at its end.
//   - But sendmail -bs under TLS loses it: it has closed the descriptor by then. So it gets no 421,
//     but Discard: it goes on with what it has read, writes, and reads the end of the connection.
//     For a discarded message it asks neither the guard nor its tables about recipients, and
//     accepts them all. No message follows.
func (s *session) finish(bad bool) milter.Answer {
	defer s.disconnectAfter(answerTime)
	if !s.open || !s.stopReading() {
		return s.final
	}
	switch {
	case s.postfix && bad:
		s.flush()
	case s.losesReplies() && s.hasRcpts:
		return milter.Discard
	}
	return s.final
}

// losesReplies reports whether the MTA loses the replies that it holds when it ends the session.
func (s *session) losesReplies() bool { return s.inetd && s.tls }

// trackReplies reports whether Postfix has written nothing since the last call, and so holds its
// replies. It is called while Postfix waits for our answer.
func (s *session) trackReplies() (held bool) {
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

// written is how many bytes the MTA has written to its client; false if that is not known.
func (s *session) written() (n int64, ok bool) {
	s.withSocket(func(fd int) {
		if info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			n, ok = int64(info.Bytes_sent-info.Bytes_retrans)+int64(info.Notsent_bytes), true
		}
	})
	return n, ok
}

// flush waits until Postfix has held its replies for so long that it writes them by itself,
// together with the next one.
func (s *session) flush() {
	if !s.repliesHeld {
		return
	}
	until := s.outbox.since.Add(flushTime)
	for time.Now().Before(until) && s.guard.stop.Err() == nil {
		if err := s.wire.Send(string(milter.Progress)); err != nil {
			return
		}
		s.guard.sleep(min(progressEvery, time.Until(until)))
	}
}

// dropData is a socket filter that keeps the headers of what arrives, and so the client's
// acknowledgements, but no data.
var dropData = unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 1}

// stopReading lets the MTA read the end of the connection after what it has already read from its
// client. Data that is left unread is discarded: the kernel would answer it with a reset at the
// end, and replies would be lost. It reports whether that worked.
func (s *session) stopReading() (done bool) {
	s.withSocket(func(fd int) {
		err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
			&unix.SockFprog{Len: 1, Filter: &dropData})
		if err != nil || unix.Shutdown(fd, unix.SHUT_RD) != nil {
			return
		}
		done = true
		var b [4096]byte
		for range 1 << 10 { // a window is 4 MB at most
			n, _, err := unix.Recvfrom(fd, b[:], unix.MSG_DONTWAIT)
			if err != nil || n == 0 {
				return
			}
		}
	})
	return done
}

// awaitAcks waits until the client has acknowledged all that was written to it, at most ackTime.
func (s *session) awaitAcks() {
	deadline := time.Now().Add(ackTime)
	for time.Now().Before(deadline) && s.guard.stop.Err() == nil {
		left := 0
		s.withSocket(func(fd int) { left, _ = unix.IoctlGetInt(fd, unix.SIOCOUTQ) })
		if left == 0 {
			return
		}
		s.guard.sleep(pollEvery)
	}
}
