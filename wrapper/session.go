package wrapper

import (
	"net/netip"
	"time"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/policy"
)

// Session is one client at the door, from its arrival to the verdict.
//
// A process that holds one client calls Run. A room must never wait for one of its many clients. It
// goes the same way step by step: Arrive; Conclude (or Admit) when the client has spoken, left, or
// been quiet for as long as Delay says; then Account, and Refuse if it is not Served.
//
// The client is counted under the network of its arrival until the session ends: a room may read
// another count_by in the meantime.
type Session struct {
	Connection
	entry

	door    *Door
	policy  *policy.Policy // from which the facts have their limits
	network netip.Prefix   // under which the client is counted
	full    *decide.Facts  // see facts
	resting resting

	delay    time.Duration // for which the client has to wait
	waited   time.Duration // for which it has waited
	turn     time.Duration // for which it has then waited in a room's queue
	early    Early
	dialogue *Dialogue // with the refused client

	greet    decide.Greet
	open     failOpen
	wide     bool // the client is counted under its /48, too
	own      Own  // which of its networks hold an address of this machine
	patient  bool // it spoke early, but has shown before that it can wait
	crowded  bool // it is BUSY because others had the ledger
	searched bool // a search for idle sessions has been made, or must not be; see idle.go
	mustEnd  bool // it is not served even where nothing is enforced
}

// entry is what a session notes while it works on the ledger. Where that fails, the ledger is as it
// was, and so is the entry.
type entry struct {
	Verdict decide.Verdict
	would   decide.Verdict   // the refusal of an observed test, the first; Undecided = none
	entered bool             // the ledger has counted it, now or before
	talks   bool             // the client is greeted, and its recipients are refused; see talk.go
	token   ledger.Session   // zero while the ledger does not count the session
	hangups int              // for which the client need not wait
	struck  *Struck          // after a PREGREET; nil = it counted nowhere
	search  *Search          // which comes before the verdict; see idle.go
	exited  []ledger.Process // after the search; the ledger may still count their sessions
	heard   *heard           // of DNS; nil = nothing, and it is not asked
}

// NewSession prepares the decision about a connection.
func (d *Door) NewSession(c Connection) *Session {
	s := d.prepare(c)
	d.facts(s.full, c.Client.Addr(), d.room)
	return s
}

// Run decides about the client, keeps the ledger and logs. It reports whether the client is to be
// served: then the caller becomes the MTA, or calls Fail and RefuseAndLinger if it cannot. A client
// that is not served has got its reply, and the caller has only to end.
//
// Run takes the greet delay at most, and moments for the ledger, the log and the reply, each of
// which has a bound of its own. To talk to a denied client takes half a minute at most.
func (s *Session) Run() bool {
	if s.Arrive() {
		if g, waited := s.wait(); !s.Verdict.Final() { // a block may have ended the wait
			s.Conclude(g, waited)
		}
		s.endAsking()
	}
	s.writeStrike()
	s.claimTalk()
	s.Account(0)
	if s.Served() {
		return true
	}
	s.RefuseAndLinger()
	return false
}

// RunGone is Run for a client that left before we looked ([ErrGone]). It is counted, and what it
// did has the same consequences, but it gets no reply and no MTA.
func (s *Session) RunGone() {
	s.mustEnd, s.searched = true, true
	if allowed := s.facts().IsAllowed(); allowed || s.Arrive() {
		g, _ := Look(s.FD)
		if g == decide.Quiet || allowed {
			g = decide.Left
		}
		s.Conclude(g, 0)
		s.endAsking()
	}
	s.writeStrike()
	s.Account(0)
}

// RefuseAndLinger refuses the client and gives it a moment to read why, or talks to it.
func (s *Session) RefuseAndLinger() {
	if s.talks {
		s.talk()
	} else if s.Refuse() {
		linger(s.FD)
	}
}

// Block is the block that began with this client's offence: its network, how long it lasts and
// why. d is 0 if none began.
func (s *Session) Block() (network netip.Prefix, d time.Duration, reason string) {
	reason = decide.Reason(s.early.Kind)
	if s.struck == nil {
		return s.network, 0, reason
	}
	return s.struck.Network, s.struck.Block, reason
}

// Networks are the network under which the client is counted, and the wide one with its
// neighbors: see [policy.Settings.WideAround].
func (s *Session) Networks() (network, wide netip.Prefix) {
	wide = s.door.Policy.WideAround(s.Client.Addr())
	if wide.Bits() > s.network.Bits() { // count_by has been changed since
		wide = s.network
	}
	return s.network, wide
}

// Served says whether the client gets the MTA.
func (s *Session) Served() bool { return s.Verdict.Served() || s.observed() }

// observed says whether the client is served only because nothing is enforced. One that
// has hung up has no use for an MTA.
func (s *Session) observed() bool {
	v := s.Verdict
	return s.door.Policy.Mode == policy.Observe && v != decide.Hangup && v != decide.Failed &&
		!s.mustEnd && !v.Served()
}

// Delay is how long the client has to be quiet, once Arrive has reported that it waits. For a known
// client it is 0: one look must show that it has not spoken.
func (s *Session) Delay() time.Duration { return s.delay }

// SendTeaser sends the first line of the greeting at once, if one is configured.
func (s *Session) SendTeaser() {
	if text := s.door.Policy.Teaser; text != "" && s.delay > 0 {
		say(s.FD, "220-"+text)
	}
}

// wait is the greet delay. It ends early, with a verdict, when a signal comes and the network is
// blocked by then.
func (s *Session) wait() (decide.Greet, time.Duration) {
	s.SendTeaser()
	if s.heard != nil {
		if g, _ := Look(s.FD); g != decide.Quiet { // nobody needs to ask; Wait reports an error
			return g, 0
		}
		s.Ask()
	}
	g, waited, err := Wait(s.FD, s.delay, func(waited time.Duration) bool {
		return s.refuseIfBlocked(waited, 0)
	}, s)
	if err != nil {
		s.LogUnseen(err)
	}
	if g == decide.Quiet {
		s.catchUp()
	}
	return g, waited
}

// LogUnseen logs that what the client does cannot be seen. It is then taken for quiet.
func (s *Session) LogUnseen(why error) {
	s.open = unseen
	s.door.Ledger.CountTrouble(ledger.Unseen, 1)
	s.door.warn(s.Client.String() + ": " + why.Error() + "; the client is taken for quiet")
}

// Refuse tells the client why and ends our side of the connection, without waiting for either. It
// reports whether the client may still be there: see [Drain].
func (s *Session) Refuse() (open bool) {
	if line := s.reply(); line != "" {
		sayLast(s.FD, line)
	}
	return endOurs(s.FD)
}

// reply is the line for the client, "" for none.
func (s *Session) reply() string {
	action := s.door.Policy.OnPregreet
	if s.patient {
		action = policy.Tempfail
	}
	if s.Verdict == decide.DNSBL {
		action = s.door.Policy.OnListed
	}
	if s.Verdict == decide.Hangup ||
		action == policy.Drop && (s.Verdict == decide.Pregreet || s.Verdict == decide.DNSBL) {
		return ""
	}
	if s.Verdict == decide.DNSBL {
		return s.listedReply(action)
	}
	line := reply(s.Verdict, action, s.Client.Addr(), s.door.Policy.Settings)
	if text := s.facts().Decider().Reply; s.Verdict == decide.Denied && text != "" {
		line = text
	}
	if s.talks && line[:3] == "554" { // 554 is for the connection, 550 for a recipient
		line = "550" + line[3:]
	}
	return line
}
