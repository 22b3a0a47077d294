package wrapper

import (
	"net/netip"
	"time"

	"sendwrap/allowlist"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// Session is one client at the door, from its arrival to the verdict.
//
// A process that holds one client calls Run. A room, which must never wait for one of its
// many, goes the same way step by step: Arrive; Conclude (or Admit) when the client has spoken,
// left, or been quiet for as long as Delay says; then Log, and Refuse if it is not Served.
type Session struct {
	Connection
	Verdict decide.Verdict

	greet     decide.Greet
	stood     bool // in the ledger, now or before: for the log
	dismissed bool // it is to end, or has: not even served because nothing is enforced

	door    *Door
	config  *config.Config // from which the facts have their limits
	facts   decide.Facts
	counted ledger.Session // zero while the ledger does not count it
	delay   time.Duration
	waited  time.Duration // of the greet delay
	turn    time.Duration // waited for its turn, in a room
	early   Early
	crowded bool          // it is BUSY because it had no turn at the ledger
	ours    bool          // it spoke, and its network holds an address of this machine
	proven  bool          // it can wait, though it has not; see [decide.Facts.IsProven]
	hangups int           // for which it need not wait; see [decide.Facts.IsSpared]
	strikes int           // of its network, after a PREGREET
	block   time.Duration // that began with it

	search *Search          // what is to be done before the verdict stands; see idle.go
	sought bool             // it has been, or nobody is to do it
	freed  []ledger.Process // what has ended meanwhile, and may count still

	talks    bool      // it is refused at its recipients, not in place of the greeting; see talk.go
	dialogue *Dialogue // since it is refused and heard
}

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
// which has a bound of its own; to talk to a client that is denied takes half a minute at most.
func (s *Session) Run() bool {
	if s.Arrive() {
		if g, waited := s.wait(); !s.Verdict.Final() { // else it was barred meanwhile
			s.Conclude(g, waited)
		}
	}
	s.settle()
	s.claimTalk()
	s.Log(0)
	if s.Served() {
		return true
	}
	s.HangUp()
	return false
}

// settle writes down the client's offence in a process that holds nobody else, if that has not been
// possible yet. A second try is the last.
func (s *Session) settle() {
	for range 2 {
		s.door.Settle()
	}
	s.door.forgetOwed()
}

// Gone is Run for a client that has left before we looked ([ErrGone]): it is counted, and what it
// did has the same consequences, but it gets no reply, and nobody becomes its MTA.
func (s *Session) Gone() {
	s.dismissed, s.sought = true, true
	if allowed := s.facts.Rule.Access == allowlist.Allow; allowed || s.Arrive() {
		g, _ := Look(s.FD)
		if g == decide.Quiet || allowed {
			g = decide.Left
		}
		s.Conclude(g, 0)
	}
	s.settle()
	s.Log(0)
}

// HangUp refuses the client and gives it a moment to read why, or talks to it.
func (s *Session) HangUp() {
	if s.talks {
		s.talk()
	} else if s.Refuse() {
		linger(s.FD)
	}
}

// Block is the block that has begun with this client's offence: its network, how long it lasts and
// why. For 0 none has. That is for whoever carries blocks out.
func (s *Session) Block() (network netip.Prefix, d time.Duration, reason string) {
	return s.door.Network(s.Client.Addr()), s.block, decide.Reason(s.early.Kind)
}

// Served says whether the client gets the MTA.
func (s *Session) Served() bool { return s.Verdict.Served() || s.observed() }

// Delay is how long the client has to be quiet, once Arrive has reported that it waits; a known one
// is only looked at.
func (s *Session) Delay() time.Duration { return s.delay }

// Arrive is the first half of the decision, in which limits are looked at and taken in one step. It
// reports whether what the client does next decides the rest; else the verdict stands, unless in a
// room there is a Search.
func (s *Session) Arrive() (waits bool) {
	waits = s.arrive()
	if !s.door.Process.Shared && s.makeRoom() {
		waits = s.arrive()
	}
	return waits
}

func (s *Session) arrive() (waits bool) {
	a := s.door.arrival(s.Client, &s.facts.Limits)
	if s.barred(a) {
		return false
	}
	err := s.door.inLedgerWithin(s.patience(), func(t *ledger.Tx) {
		s.free(t)
		s.facts.Standing = t.Look(a)
		s.Verdict = s.facts.Decide()
		if !s.facts.Swamped() && s.seek(t) {
			return // it is decided once more
		}
		switch s.Verdict {
		case decide.Undecided, decide.Known:
			a.Delay = s.facts.Delay()
			if s.counted, s.stood = t.Enter(a, s.door.Process); s.stood {
				s.spare(t)
				return // counted when it is decided
			}
			s.Verdict = decide.Busy // as many sessions as the ledger has slots
		case decide.Allowed:
			s.counted, s.stood = t.Enter(a, s.door.Process)
			t.Serve(s.counted)
		}
		t.Count(int(s.Verdict))
	})
	if err != nil {
		s.forget()
		// In a crowd the client is not counted, and may be judged by what the ledger says without
		// the lock. Whether it is one too many is asked again when it has waited.
		s.facts.Standing = s.door.peek(err, a)
		s.facts.Hangups = ledger.Hangups{} // which could not be used up
		if s.Verdict = s.facts.Decide(); s.Verdict.Final() {
			s.door.countApart(s.Verdict)
		}
	}
	if s.Verdict.Final() {
		return false
	}
	s.delay = s.facts.Delay()
	return true
}

// spare uses the client's hangups up, if it need not wait because of them.
func (s *Session) spare(t *ledger.Tx) {
	if s.facts.IsSpared() {
		s.hangups = s.facts.Hangups.N
		t.ForgetHangups(s.door.Network(s.Client.Addr()))
	}
}

// Tease sends the first line of the greeting at once, if one is configured.
func (s *Session) Tease() {
	if text := s.door.Config.Teaser; text != "" && s.delay > 0 {
		say(s.FD, "220-"+text)
	}
}

// wait is the greet delay. It ends early, with a verdict, when a signal comes and the network is
// blocked by then.
func (s *Session) wait() (decide.Greet, time.Duration) {
	s.Tease()
	g, waited, err := Wait(s.FD, s.delay, func(waited time.Duration) bool { return s.bar(waited, 0) })
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
func (s *Session) Conclude(g decide.Greet, waited time.Duration) {
	s.greet, s.waited = g, waited
	if g == decide.Spoke {
		s.early = peekEarly(s.FD)
		s.ours = s.door.Ours(s.door.Network(s.Client.Addr()))
	}
	if s.conclude(false); s.makeRoom() {
		s.conclude(false)
	}
}

// Admit is Conclude for a client that has been quiet to the end and has since waited for its turn,
// as it may in a room. It reports false, and nothing is decided, while as many sessions as may are
// served: ask again, or Conclude.
func (s *Session) Admit(waited, turn time.Duration) bool {
	s.greet, s.waited, s.turn = decide.Quiet, waited, turn
	s.conclude(s.door.Config.Mode == config.Enforce)
	return s.Verdict != decide.Undecided
}

// Fail gives the verdict up that the client is served, for a fault of our own: it is to be refused.
func (s *Session) Fail(why error) {
	s.FailSilently()
	s.logFailure(why)
}

// FailSilently is Fail without a line in the log, which has enough of them.
func (s *Session) FailSilently() {
	s.Verdict = decide.Failed
	err := s.door.inLedger(func(t *ledger.Tx) {
		s.leave(t)
		t.Count(int(decide.Failed))
	})
	if err != nil {
		s.door.countApart(decide.Failed)
	}
}

// leave ends the session in the ledger. A token must not be used twice: it may fit another session
// by then.
func (s *Session) leave(t *ledger.Tx) {
	t.Leave(s.counted)
	s.counted = ledger.Session{}
}

// Refuse tells the client why and ends our side of the connection, without waiting for either. It
// reports whether the client may still be there: see [Drain].
func (s *Session) Refuse() (there bool) {
	if line := s.reply(); line != "" {
		sayLast(s.FD, line)
	}
	return endOurs(s.FD)
}

// reply is the line for the client, "" for none.
func (s *Session) reply() string {
	action := s.door.Config.OnPregreet
	if s.proven {
		action = config.Tempfail
	}
	if s.Verdict == decide.Hangup || s.Verdict == decide.Pregreet && action == config.Drop {
		return ""
	}
	line := reply(s.Verdict, action, s.Client.Addr(), s.door.Config)
	if s.talks { // 554 is for the connection, 550 for a recipient
		line = "550" + line[3:]
	}
	return line
}

// observed says whether the client is served only because nothing is enforced. One that
// has hung up has no use for it.
func (s *Session) observed() bool {
	v := s.Verdict
	return s.door.Config.Mode == config.Observe && v != decide.Hangup && v != decide.Failed && !s.dismissed && !v.Served()
}
