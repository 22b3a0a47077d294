package wrapper

import (
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper/config"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// Refused clients that are heard
//
// A 554 in place of the greeting is temporary for many senders, which then try for days. With
// on_denied talk the client is greeted instead, and each recipient refused: the mail bounces at
// once. And a monitor that reads the refusal and says QUIT should find us there.

const (
	talkTime = 30 * time.Second // for a client that is talked to
	quitTime = 2 * time.Second  // for another to say QUIT
)

// Talk has the client talked to, if it is denied and the configuration says so. A room calls it
// before Log, while there are not too many of them.
func (s *Session) Talk() { s.talks = s.wantsTalk() }

// Talks says whether the client is talked to.
func (s *Session) Talks() bool { return s.talks }

func (s *Session) wantsTalk() bool {
	return s.Verdict == decide.Denied && s.door.Config.OnDenied == config.Talk && !s.Served()
}

// claimTalk is Talk in a process that holds nobody else: the ledger says whether there are not too
// many. In a crowd at the ledger the client is not worth a long wait.
func (s *Session) claimTalk() {
	if !s.wantsTalk() {
		return
	}
	limits := s.facts.Limits
	limits.ClientRate.N = 0
	a := s.door.arrival(s.Client, &limits)
	a.Limits.Scarce = decide.TalkPercent // so that the dead do not count from there on
	_ = s.door.inLedgerWithin(ledger.Patience, func(t *ledger.Tx) {
		if f := (decide.Facts{Standing: t.Look(a), Limits: limits}); f.MayTalk() {
			s.counted, s.talks = t.Enter(a, s.door.Process)
		}
	})
}

// HeardFor is how long a room listens to a client after it has refused it, if it can afford that; 0
// for one that has attacked, or has left.
func (s *Session) HeardFor() time.Duration {
	switch {
	case s.talks:
		return talkTime
	case s.Verdict == decide.Hangup, s.Verdict == decide.Blocked, s.Verdict == decide.Pregreet:
		return 0
	}
	return quitTime
}

// Greet is Refuse for a client that is heard: it says the first line. Then call Hear whenever the
// client may have said something, and Part at the end.
func (s *Session) Greet() {
	s.dialogue = &Dialogue{talks: s.talks, host: HostName(s.door.Config), refusal: s.reply()}
	say(s.FD, s.dialogue.Greeting())
}

// Hear reads what the client has said and answers, without waiting. It reports whether that was
// all.
func (s *Session) Hear() (over bool) {
	var b [1024]byte
	n, _, err := unix.Recvfrom(s.FD, b[:], unix.MSG_DONTWAIT)
	switch {
	case err == unix.EAGAIN, err == unix.EINTR:
		return false
	case err != nil, n <= 0:
		s.dialogue.over = true
		return true
	}
	answer, over := s.dialogue.Hear(b[:n])
	if !tell(s.FD, answer, over) { // what it reads may end in the midst of a line
		s.dialogue.over = true
	}
	return s.dialogue.over
}

// Part ends our side of a dialogue. It reports whether the client may still be there, as Refuse.
func (s *Session) Part() (there bool) {
	tell(s.FD, []byte(s.dialogue.Goodbye()), true)
	return endOurs(s.FD)
}

// talk is the dialogue in a process that holds nobody else.
func (s *Session) talk() {
	s.Greet()
	fds := []unix.PollFd{{Fd: int32(s.FD), Events: unix.POLLIN | unix.POLLRDHUP}}
	deadline := time.Now().Add(talkTime)
	for over := false; !over; {
		left := time.Until(deadline)
		n, err := unix.Poll(fds, int(max(0, left+time.Millisecond-1)/time.Millisecond))
		switch {
		case err == unix.EINTR: // a block has begun, perhaps
			over = s.blocked()
		case n > 0:
			over = s.Hear()
		default:
			over = true
		}
		over = over || left <= 0
	}
	if s.Part() {
		linger(s.FD)
	}
	_ = s.door.inLedger(s.leave)
}

// blocked says whether a block runs on the client's network by now, as far as that can be seen.
func (s *Session) blocked() bool {
	is, _ := s.door.Ledger.Peek(ledger.Now(), s.door.arrival(s.Client, &s.facts.Limits))
	return is.Blocked
}
