package wrapper

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/policy"
)

// What refused clients may still say
//
// Many senders take a 554 in place of the greeting for a temporary error, and try for days. With
// on_denied talk the client is greeted instead, and each recipient is refused: the mail bounces at
// once. And a monitor that reads the refusal and says QUIT should get an answer.

const (
	talkTime = 30 * time.Second // for a client that is talked to
	quitTime = 2 * time.Second  // for any other client to say QUIT
)

// AllowTalk has us talk to the client if it is denied and the configuration says so. A room calls
// it before Account, while there are not too many of them.
func (s *Session) AllowTalk() { s.talks = s.mayTalk() }

// Talks says whether we talk to the client.
func (s *Session) Talks() bool { return s.talks }

func (s *Session) mayTalk() bool {
	return s.Verdict == decide.Denied && s.door.Policy.OnDenied == policy.Talk && !s.Served() &&
		s.reply()[0] == '5' // one of an access map may ask the client to come back
}

// claimTalk is AllowTalk in a process that holds one client: the ledger says whether there are too
// many. While others use the ledger, the client is not worth a long wait.
func (s *Session) claimTalk() {
	if !s.mayTalk() {
		return
	}
	a := s.arrival()
	s.door.identify()
	a.Limits.Scarce = decide.TalkPercent // from there on the sessions of the dead must not count
	_ = s.updateWithin(ledger.Patience, func(t *ledger.Tx) {
		if s.facts().Standing = t.Look(a); s.facts().MayTalk() {
			s.token, s.talks = t.AddSession(a, s.door.Process)
		}
	})
}

// ListenTime is how long a room listens to a client that it has refused, if it can afford to; 0 for
// one that has attacked, or has left, or that gets no reply.
func (s *Session) ListenTime() time.Duration {
	switch {
	case s.talks:
		return talkTime
	case s.Verdict == decide.Hangup, s.Verdict == decide.Blocked, s.Verdict == decide.Pregreet,
		s.reply() == "":
		return 0
	}
	return quitTime
}

// Greet is Refuse for a client that we then listen to: it says the first line. Call Hear whenever
// the client may have said something, and EndTalk at the end.
func (s *Session) Greet() {
	host := HostName(s.door.Policy.Settings)
	s.dialogue = &Dialogue{talks: s.talks, host: host, refusal: s.reply()}
	say(s.FD, s.dialogue.Greeting())
}

// Hear reads what the client has said and answers, without waiting. It reports whether the dialogue
// is over.
func (s *Session) Hear() (over bool) {
	var b [1024]byte
	n, _, err := syscall.Recvfrom(s.FD, b[:], unix.MSG_DONTWAIT)
	switch {
	case err == unix.EAGAIN, err == unix.EINTR:
		return false
	case err != nil, n <= 0:
		s.dialogue.over = true
		return true
	}
	answer, over := s.dialogue.Hear(b[:n])
	if !sendLines(s.FD, answer, over) { // what the client reads may end within a line
		s.dialogue.over = true
	}
	return s.dialogue.over
}

// EndTalk ends our side of a dialogue. As Refuse it reports whether the client may still be there.
func (s *Session) EndTalk() (open bool) {
	sendLines(s.FD, []byte(s.dialogue.Goodbye()), true)
	return endOurs(s.FD)
}

// talk is the dialogue in a process that holds one client.
func (s *Session) talk() {
	s.Greet()
	fds := []unix.PollFd{{Fd: int32(s.FD), Events: unix.POLLIN | unix.POLLRDHUP}}
	deadline := time.Now().Add(talkTime)
	for over := false; !over; {
		left := time.Until(deadline)
		n, err := unix.Poll(fds, pollTime(max(0, left)))
		switch {
		case err == unix.EINTR: // a block may have begun
			over = s.blocked()
		case n > 0:
			over = s.Hear()
		default:
			over = true
		}
		over = over || left <= 0
	}
	if s.EndTalk() {
		linger(s.FD)
	}
	_ = s.update(s.leave)
}

// blocked says whether a block runs on the client's network by now, as far as that can be seen.
func (s *Session) blocked() bool {
	standing, _ := s.door.Ledger.Peek(s.door.Ledger.Now(), s.arrival())
	return standing.Blocked
}
