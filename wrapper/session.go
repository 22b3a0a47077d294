package wrapper

import (
	"net/netip"
	"time"

	"sendwrap/wrapper/config"
	"sendwrap/wrapper/ledger"
)

// Session is one client at the door, from its arrival to the verdict.
//
// A process that holds one client calls Run. A room, which must never wait for one of its
// many, goes the same way step by step: Arrive; Conclude (or Admit) when the client has spoken,
// left, or been quiet for as long as Delay says; then Log, and Refuse if it is not Served.
type Session struct {
	Connection
	Verdict Verdict

	greet     Greet
	stood     bool // in the ledger, now or before: for the log
	dismissed bool // the room closes: not even served because nothing is enforced

	door    *Door
	config  *config.Config // from which the facts have their limits
	facts   Facts
	counted ledger.Session // zero while the ledger does not count it
	delay   time.Duration
	waited  time.Duration // of the greet delay
	turn    time.Duration // waited for its turn, in a room
	early   Early
	strikes int           // of its network, after a PREGREET
	block   time.Duration // that began with it
}

// reasonPregreet is what the ledger keeps as the reason of a strike, and of the block that it makes.
const reasonPregreet = "pregreet"

// NewSession prepares the decision about a connection.
func (d *Door) NewSession(c Connection) *Session {
	s := &Session{Connection: c, door: d, config: d.Config}
	d.facts(&s.facts, c.Client.Addr())
	return s
}

// Run decides about the client, keeps the ledger and logs. It reports whether the client is to be
// served: then the caller becomes the MTA, or calls Fail and HangUp if it cannot. A client that
// is not served has got its reply, and nothing is left to do but to end.
//
// It takes the greet delay at most, and moments for the ledger, the log and the reply, each of
// which has a bound of its own.
func (s *Session) Run() bool {
	if s.Arrive() {
		s.Conclude(s.wait())
	}
	s.Log(0)
	if s.Served() {
		return true
	}
	s.HangUp()
	return false
}

// HangUp refuses the client and gives it a moment to read why.
func (s *Session) HangUp() {
	if s.Refuse() {
		linger(s.FD)
	}
}

// Block is the block that has begun with this client's offence: its network, how long it lasts and why. For 0 none has. That
// is for whoever carries blocks out.
func (s *Session) Block() (network netip.Prefix, d time.Duration, reason string) {
	return s.door.Network(s.Client.Addr()), s.block, reasonPregreet
}

// Served says whether the client gets the MTA.
func (s *Session) Served() bool { return s.Verdict.Served() || s.observed() }

// Delay is how long the client has to be quiet, once Arrive has reported that it waits; a known one is only
// looked at.
func (s *Session) Delay() time.Duration { return s.delay }

// Arrive is the first half of the decision, in which limits are looked at and taken in one step. It
// reports whether what the client does next decides the rest; else the verdict stands.
func (s *Session) Arrive() (waits bool) {
	a := s.door.arrival(s.Client, s.facts.Limits)
	err := s.door.inLedger(func(t *ledger.Tx) {
		s.facts.Standing = t.Look(a)
		s.Verdict = s.facts.Decide()
		switch s.Verdict {
		case Undecided, Known:
			a.Delay = s.facts.Delay()
			if s.counted, s.stood = t.Enter(a, s.door.Process); s.stood {
				return // counted when it is decided
			}
			s.Verdict = Busy // as many sessions as the ledger has slots
		case Allowed:
			s.counted, s.stood = t.Enter(a, s.door.Process)
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
	if s.Verdict.final() {
		return false
	}
	s.delay = s.facts.Delay()
	return true
}

// Tease sends the first line of the greeting at once, if one is configured.
func (s *Session) Tease() {
	if text := s.door.Config.Teaser; text != "" && s.delay > 0 {
		say(s.FD, "220-"+text)
	}
}

// wait is the greet delay.
func (s *Session) wait() (Greet, time.Duration) {
	s.Tease()
	g, waited, err := Wait(s.FD, s.delay)
	if err != nil {
		s.Unseen(err)
	}
	return g, waited
}

// Unseen logs that what the client does could not be seen, so that it is taken for quiet.
func (s *Session) Unseen(why error) {
	s.door.warn(s.Client.String() + ": " + why.Error() + "; the client is taken for quiet")
}

// Conclude is the second half of the decision, after what the client did within so long.
func (s *Session) Conclude(g Greet, waited time.Duration) {
	s.greet, s.waited = g, waited
	if g == Spoke {
		s.early = peekEarly(s.FD)
	}
	s.conclude(false)
}

// Admit is Conclude for a client that has been quiet to the end and has since waited for its turn, as it may in a room. It
// reports false, and nothing is decided, while as many sessions as may are served: ask again, or
// Conclude.
func (s *Session) Admit(waited, turn time.Duration) bool {
	s.greet, s.waited, s.turn = Quiet, waited, turn
	s.conclude(s.door.Config.Mode == config.Enforce)
	return s.Verdict != Undecided
}

// Expire is the verdict about a client whose turn has not come in time. It has waited in vain, and need not wait again.
func (s *Session) Expire(waited, turn time.Duration) {
	s.Verdict, s.greet, s.waited, s.turn = Busy, Quiet, waited, turn
	_ = s.door.inLedger(func(t *ledger.Tx) {
		now := t.Look(s.door.arrival(s.Client, s.facts.Limits))
		s.facts.Serving, s.facts.Waiting = now.Serving, now.Waiting // the log says why
		s.leave(t)
		t.Count(int(Busy))
		t.Remember(s.door.Network(s.Client.Addr()), s.facts.Limits.Remember)
	})
}

// Withdraw is Conclude for a client that has left while it waited for its turn.
func (s *Session) Withdraw(waited, turn time.Duration) {
	s.turn = turn
	s.Conclude(Left, waited)
}

// renew takes the facts from the configuration that a room has read anew meanwhile.
func (s *Session) renew() {
	if s.config != s.door.Config {
		s.config = s.door.Config
		s.door.facts(&s.facts, s.Client.Addr())
	}
}

// conclude decides; a patient one leaves it undecided whether a client is one too many.
func (s *Session) conclude(patient bool) {
	s.renew()
	limits := s.facts.Limits
	limits.ClientConns, limits.ClientRate.N = 0, 0 // taken at arrival
	network := s.door.Network(s.Client.Addr())
	err := s.door.inLedger(func(t *ledger.Tx) {
		arrived := s.facts.Standing
		s.facts.Standing = t.Look(s.door.arrival(s.Client, limits))
		// Whether it was known decided how long it had to wait; another connection of
		// the same client may have passed meanwhile.
		s.facts.Conns, s.facts.Known = arrived.Conns, arrived.Known
		if s.Verdict = s.facts.Conclude(s.greet); s.Verdict == Busy && patient {
			s.Verdict = Undecided
			return
		}
		t.Count(int(s.Verdict))
		switch s.Verdict {
		case Hangup:
			t.Left(s.waited)
		case Pregreet:
			t.Spoke(s.waited)
			s.strikes, s.block = t.Strike(network, reasonPregreet, Penalty(s.door.Config))
		case Pass, Busy: // one that waited in vain need not wait again
			t.Remember(network, limits.Remember)
		}
		if !s.Verdict.Served() {
			s.leave(t)
			return
		}
		if s.counted == (ledger.Session{}) { // the ledger was not to be had when it arrived
			s.counted, s.stood = t.Enter(s.door.arrival(s.Client, limits), s.door.Process)
		}
		t.Serve(s.counted)
	})
	if err != nil {
		counted, stood := s.counted, s.stood
		s.forget()
		s.counted, s.stood = counted, stood // it still stands there, as one that waits
		if s.Verdict = s.facts.Conclude(s.greet); err == ledger.ErrCrowded && s.Verdict.Served() {
			s.Verdict = Busy
			if patient {
				s.Verdict = Undecided
			}
		}
	}
}

// forget is what a failed ledger leaves of what it said.
func (s *Session) forget() {
	s.facts.Standing, s.counted, s.stood = ledger.Standing{}, ledger.Session{}, false
	s.strikes, s.block = 0, 0
}

// Fail gives the verdict up that the client is served, for a fault of our own: it is to be refused.
func (s *Session) Fail(why error) {
	s.FailSilently()
	s.logFailure(why)
}

// FailSilently is Fail without a line in the log, which has enough of them.
func (s *Session) FailSilently() {
	s.Verdict = Failed
	_ = s.door.inLedger(func(t *ledger.Tx) {
		s.leave(t)
		t.Count(int(Failed))
	})
}

// leave ends the session in the ledger. A token must not be used twice: it may fit another session by then.
func (s *Session) leave(t *ledger.Tx) {
	t.Leave(s.counted)
	s.counted = ledger.Session{}
}

// Refuse tells the client why and ends our side of the connection, without waiting for either. It reports
// whether the client may still be there: see [Drain].
func (s *Session) Refuse() (there bool) {
	if line := s.reply(); line != "" {
		sayLast(s.FD, line)
	}
	return endOurs(s.FD)
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
	v := s.Verdict
	return s.door.Config.Mode == config.Observe && v != Hangup && v != Failed && !s.dismissed && !v.Served()
}
