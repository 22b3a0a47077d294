package wrapper

import (
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/maillog"
)

// What a room does with a session that a process with one client never has to: it gives it to an
// MTA, ends it on somebody else's account, counts it in another ledger, and hands it to the program
// that takes our place.

// MTA is the program that the client is to get, and its arguments.
func (s *Session) MTA() []string { return s.door.Config.MTA }

// Known says whether the client was known when it came, so that it need not wait.
func (s *Session) Known() bool { return s.facts.IsKnown() }

// Trusted says the same of one that is known not only for having waited once.
func (s *Session) Trusted() bool { return s.facts.IsTrusted() }

// Crowded says whether Admit has not decided because others had the ledger.
func (s *Session) Crowded() bool { return s.crowded }

// Hand gives a session to the MTA that was started for it: from now on the ledger counts it as long
// as that process lives. It reports whether the ledger knows.
func (s *Session) Hand(mta int) bool {
	if !s.Verdict.Served() {
		return true // it is served only because nothing is enforced, and does not count
	}
	p, err := ledger.Identify(mta)
	if err != nil {
		return s.End() // it has ended already
	}
	return s.door.inLedger(func(t *ledger.Tx) {
		var there bool
		if s.counted, there = t.Transfer(s.counted, p); !there { // it stood in another ledger, or could not be counted until now
			s.counted = s.enter(t, p)
		}
	}) == nil
}

// End ends a session. It reports whether the ledger knows.
func (s *Session) End() bool {
	if !s.Verdict.Served() {
		return true
	}
	return s.door.inLedger(s.leave) == nil
}

// Dismiss ends the wait of a client because the room closes, or has no room for it. One that had
// waited long enough need not wait again.
func (s *Session) Dismiss(waited time.Duration, longEnough bool) {
	s.Verdict, s.waited, s.dismissed = decide.Busy, waited, true
	err := s.door.inLedger(func(t *ledger.Tx) {
		s.leave(t)
		t.Count(int(decide.Busy))
		if longEnough {
			s.remember(t)
		}
	})
	if err != nil {
		s.door.countApart(decide.Busy)
	}
}

// Counted is the session as the ledger knows it; zero if it does not.
func (s *Session) Counted() ledger.Session { return s.counted }

// Recount counts a session again, in a ledger that has taken the place of the one in which it
// stood, in the name of its MTA or, if that is 0, of the room. It reports whether the ledger knows.
func (s *Session) Recount(mta int) bool {
	p := s.door.Process
	if mta != 0 {
		if !s.Verdict.Served() {
			return true
		}
		var err error
		if p, err = ledger.Identify(mta); err != nil {
			return true // it has ended
		}
	}
	return s.door.inLedger(func(t *ledger.Tx) {
		if mta != 0 {
			t.FreeExcept(p, nobody) // it may have been taken over
		}
		s.counted = s.enter(t, p)
	}) == nil
}

// enter counts the session without a second arrival.
func (s *Session) enter(t *ledger.Tx, p ledger.Process) ledger.Session {
	limits := s.facts.Limits
	limits.ClientRate.N = 0
	counted, stood := t.Enter(s.door.arrival(s.Client, &limits), p)
	s.stood = s.stood || stood
	if s.Served() {
		t.Serve(counted)
	}
	return counted
}

// LogEnd writes that an MTA has ended by a signal, or with another exit status than 0.
func (s *Session) LogEnd(
	mta int, level maillog.Level, after time.Duration, status unix.WaitStatus,
) {
	l := maillog.NewLine("ENDED").Addr("client", s.Client).Addr("server", s.Server).Dur("after", after)
	if status.Signaled() {
		l.Int("signal", int(status.Signal()))
	} else {
		l.Int("status", status.ExitStatus())
	}
	s.write(mta, level, l)
}

// HandoverVersion says which rooms a program can take over, and TakesOver says so for `sendwrap
// version`, by which a room finds out about the program that is to take its place.
const (
	HandoverVersion = 1
	TakesOver       = "takes over rooms of version 1"
)

// Save returns what [Door.Restore] needs.
func (s *Session) Save() Saved {
	return Saved{s.Client, s.Server, s.Verdict, s.counted, s.stood, s.facts.Conns, s.facts.Known, s.delay, s.turn}
}
