package wrapper

import (
	"time"

	"sendwrap/wrapper/config"
	"sendwrap/wrapper/ledger"
)

// Session is one client at the door, from its arrival to the verdict.
type Session struct {
	Connection
	Verdict Verdict

	door    *Door
	facts   Facts
	counted ledger.Session // zero while the ledger does not count it
	delay   time.Duration
	waited  time.Duration
	greet   Greet
	early   Early
	strikes int           // of its network, after a PREGREET
	block   time.Duration // that began with it
}

// NewSession prepares the decision about a connection.
func (d *Door) NewSession(c Connection) *Session {
	s := &Session{Connection: c, door: d}
	d.facts(&s.facts, c.Client.Addr())
	return s
}

// Run decides about the client, keeps the ledger and logs. It reports whether the client is to be
// served: then the caller becomes the MTA, or calls Fail if it cannot. A client that
// is not served has got its reply, and nothing is left to do but to end.
//
// It takes the greet delay at most, and moments for the ledger, the log and the reply, each of
// which has a bound of its own.
func (s *Session) Run() bool {
	s.arrive()
	if !s.Verdict.final() {
		s.wait()
		s.conclude()
	}
	served := s.Verdict.Served() || s.observed()
	s.log(served)
	if !served {
		s.refuse()
	}
	return served
}

// arrive is the first half of the decision. Limits are looked at and taken in one step.
func (s *Session) arrive() {
	a := s.door.arrival(s.Client, s.facts.Limits)
	err := s.door.inLedger(func(t *ledger.Tx) {
		s.facts.Standing = t.Look(a)
		s.Verdict = s.facts.Decide()
		var room bool
		switch s.Verdict {
		case Undecided, Known:
			if s.counted, room = t.Enter(a, s.door.Process); room {
				return // counted when it is decided
			}
			s.Verdict = Busy // as many sessions as the ledger has slots
		case Allowed:
			s.counted, _ = t.Enter(a, s.door.Process)
			t.Serve(s.counted)
		}
		t.Count(int(s.Verdict))
	})
	if err != nil {
		s.forget()
		if s.Verdict = s.facts.Decide(); err == ledger.ErrCrowded && !s.Verdict.final() {
			s.Verdict = Busy // too many at once is their trouble, not ours
		}
	}
}

// wait is the greet delay.
func (s *Session) wait() {
	s.delay = s.facts.Delay()
	if text := s.door.Config.Teaser; text != "" && s.delay > 0 {
		say(s.FD, "220-"+text)
	}
	var err error
	if s.greet, s.waited, err = Wait(s.FD, s.delay); err != nil {
		s.door.warn(s.Client.String() + ": " + err.Error() + "; the client is taken for quiet")
	}
	if s.greet == Spoke {
		s.early = peekEarly(s.FD)
	}
}

// conclude is the second half of the decision.
func (s *Session) conclude() {
	limits := s.facts.Limits
	limits.ClientConns, limits.ClientRate.N = 0, 0 // taken at arrival
	network := s.door.Network(s.Client.Addr())
	err := s.door.inLedger(func(t *ledger.Tx) {
		arrived := s.facts.Standing
		s.facts.Standing = t.Look(s.door.arrival(s.Client, limits))
		// Whether it was known decided how long it had to wait; another connection of
		// the same client may have passed meanwhile.
		s.facts.Conns, s.facts.Known = arrived.Conns, arrived.Known
		s.Verdict = s.facts.Conclude(s.greet)
		t.Count(int(s.Verdict))
		switch s.Verdict {
		case Hangup:
			t.Left(s.waited)
		case Pregreet:
			t.Spoke(s.waited)
			s.strikes, s.block = t.Strike(network, "pregreet", Penalty(s.door.Config))
		case Pass, Busy: // one that waited in vain need not wait again
			t.Remember(network, limits.Remember)
		}
		if !s.Verdict.Served() {
			t.Leave(s.counted)
			return
		}
		if s.counted == (ledger.Session{}) { // the ledger was not to be had when it arrived
			s.counted, _ = t.Enter(s.door.arrival(s.Client, limits), s.door.Process)
		}
		t.Serve(s.counted)
	})
	if err != nil {
		counted := s.counted
		s.forget()
		s.counted = counted // it still stands there, as one that waits
		if s.Verdict = s.facts.Conclude(s.greet); err == ledger.ErrCrowded && s.Verdict.Served() {
			s.Verdict = Busy
		}
	}
}

// forget is what a failed ledger leaves of what it said.
func (s *Session) forget() {
	s.facts.Standing, s.counted = ledger.Standing{}, ledger.Session{}
	s.strikes, s.block = 0, 0
}

// Fail turns away a client that should have been served, for a fault of our own.
func (s *Session) Fail(why error) {
	s.Verdict = Failed
	_ = s.door.inLedger(func(t *ledger.Tx) {
		t.Leave(s.counted)
		t.Count(int(Failed))
	})
	s.logFailure(why)
	s.refuse()
}

// refuse tells the client why, and hangs up.
func (s *Session) refuse() {
	if line := s.reply(); line != "" {
		say(s.FD, line)
	}
	hangUp(s.FD)
}

// reply is the line for the client, "" for none.
func (s *Session) reply() string {
	if s.Verdict == Hangup || s.Verdict == Pregreet && s.door.Config.OnPregreet == config.Drop {
		return ""
	}
	return reply(s.Verdict, s.door.Config.OnPregreet, s.door.Host)
}

// observed says whether the client is served only because nothing is enforced. One that
// has hung up has no use for it.
func (s *Session) observed() bool {
	return s.door.Config.Mode == config.Observe && s.Verdict != Hangup && !s.Verdict.Served()
}
