package guard

import (
	"errors"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/milter"
	"sendwrap/wrapper/policy"
)

// longestDelay bounds the sum of a session's delays by bad_rcpt_delay: its MTA process waits, too.
const longestDelay = 30 * time.Second

// session is one client in one MTA process, over all its transactions. It has a goroutine of its
// own. Others may read what does not change after connect, and the atomic fields, and set blocked.
type session struct {
	guard       *guard
	wire        *milter.Conn
	macros      milter.Macros // for the next command
	mta         int           // the process; 0 if it is not known
	negotiated  bool
	noHeloReply bool // the MTA wants no answer to HELO
	began       time.Time

	client   netip.AddrPort
	network  netip.Prefix
	config   *config.Config // as it was when the client came
	exempt   bool           // under allow, without an internet address, or not known yet
	authed   atomic.Bool    // the client has authenticated
	blocked  atomic.Bool    // a block runs that began since the client came
	askAgain bool           // the ledger could not say yet how the client stood at connect
	busy     atomic.Bool    // a message has recipients, and may be under way
	nullOpen atomic.Bool    // a transaction of the null sender is open
	closed   atomic.Bool
	answered atomic.Bool // connect has its answer; until then markBlocked leaves it to connect

	postfix     bool // the MTA is Postfix
	inetd       bool // the MTA is sendmail -bs
	tls         bool // since STARTTLS
	socket      int  // the client's descriptor in the MTA; -1 = not found yet. Under socketMu
	outbox      outbox
	repliesHeld bool // by Postfix, when it last asked about a recipient

	deferred *offence // decided when more is known; nil if there is none
	passed   bool     // the client is served because it has waited
	mailed   bool     // a message went through

	helo        string
	queue       string // the MTA's name for the message
	open        bool   // a transaction
	hasRcpts    bool   // the transaction has named a recipient
	acksAwaited bool   // after the last replies
	goodRcpts   rcptSet
	facts       decide.Recipients
	delayed     time.Duration
	logged      [decide.MaxRcpts + 1]bool // verdicts that are in the log
	observed    [decide.MaxRcpts + 1]bool // and those of observed limits
	loggedNull  bool                      // that the null sender is deferred
	final       milter.Answer             // the answer to all further commands
	transcript  *transcript               // nil if none is kept
}

// errTwice ends a connection on which an MTA names a second client. No MTA does so, and all is
// counted for the first one.
var errTwice = errors.New("a second client on one connection")

// connect starts the session. Of a client under allow the MTA asks no more.
func (s *session) connect(data []byte, macros milter.Macros) (milter.Answer, error) {
	if s.config != nil {
		return milter.None, errTwice
	}
	packet, err := milter.ReadClient(data)
	if err != nil {
		return milter.None, err
	}
	client, ok := clientOf(packet, macros)
	if !ok {
		return milter.Accept, nil
	}
	g := s.guard
	s.client, s.config = client, g.config.Load()
	said := s.config.Networks.Match(client.Addr())
	if said.Access == rule.Allow {
		return milter.Accept, nil
	}
	s.exempt = false
	s.postfix = strings.HasPrefix(macros.Get(macroVersion), "Postfix")
	s.inetd = !s.postfix && macros.Get(macroDaemon) == ""
	s.facts.Limits = new(decide.Limits)
	s.facts.Limits.Set(&s.config.Settings, false, said.Limits)
	s.facts.Limits.SetWide(&s.config.Settings, client.Addr(), &said.Limits)
	s.network = s.config.Network(client.Addr())
	s.transcript = newTranscript(s)
	g.register(s)
	s.askAgain = true
	r := s.answer(false)
	s.answered.Store(true)
	if s.final == milter.None && s.blocked.Load() { // a block has begun meanwhile
		r = s.answer(false)
	}
	return r, nil
}

// hello notes the name for the log.
func (s *session) hello(name string) milter.Answer {
	s.helo = strings.Clone(name[:min(len(name), 64)])
	s.transcript.add("HELO", name, "")
	switch {
	case s.noHeloReply:
		return milter.None
	case s.final != milter.None:
		return s.final
	}
	return milter.Continue
}

// mail begins a transaction.
func (s *session) mail(from string, macros milter.Macros) milter.Answer {
	s.queue = strings.Clone(macros.Get(macroQueue))
	s.authed.Store(macros.Get(macroAuth) != "")
	s.tls = macros.Get(macroTLS) != ""
	s.transcript.add("MAIL", from, "")
	if s.unrestricted() {
		return milter.Continue
	}
	s.trackReplies()
	s.open, s.hasRcpts, s.facts.Rcpts = true, false, 0
	s.goodRcpts.clear()
	s.busy.Store(false)
	s.facts.Null, s.facts.Bounces = from == "", 0
	s.nullOpen.Store(s.facts.Null)
	r := s.answer(false)
	if s.final == milter.None {
		if later := s.deferNull(); later != milter.None {
			r = later
		}
	}
	return r
}

// rcpt counts a recipient, and whether the MTA has rejected it.
func (s *session) rcpt(rcpt string, macros milter.Macros) milter.Answer {
	why, bad := rejected(macros)
	s.transcript.add("RCPT", rcpt, why)
	if q := macros.Get(macroQueue); q != "" {
		s.queue = strings.Clone(q) // Postfix has none at MAIL
	}
	if s.unrestricted() {
		return milter.Continue
	}
	s.hasRcpts = true
	if s.final != milter.None {
		switch {
		case s.deferred == nil:
		case bad:
			s.facts.Bad++
		case why == "":
			s.facts.Good++
		}
		return s.answer(bad)
	}
	guessed := s.facts.Bad > 0
	if bad || guessed {
		s.repliesHeld = s.trackReplies()
	}
	switch {
	case bad:
		s.facts.Bad++
	case why == "":
		s.facts.Good++
		s.facts.Rcpts++
		s.goodRcpts.add(s.guard.seed, rcpt)
		s.busy.Store(true)
	}
	r := s.answer(bad)
	if guessed && s.final == milter.None {
		s.delay()
		if s.blocked.Load() { // meanwhile, because of another session
			r = s.answer(false)
		}
	}
	return r
}

// abort ends a transaction without a message. If it was one too many, the next MAIL gets the 421.
func (s *session) abort() {
	if s.open {
		s.transcript.add("RSET", "", "")
		s.endMessage()
		s.facts.Resets++
	}
}

// end is the end of a message, whose text the guard has not seen. After a final answer the message
// does not go through.
func (s *session) end() milter.Answer {
	s.endMessage()
	if s.final != milter.None {
		return s.answer(false)
	}
	s.countDelivered()
	return milter.Continue
}

// endMessage notes that the transaction is over.
func (s *session) endMessage() {
	s.open = false
	s.busy.Store(false)
	s.nullOpen.Store(false)
}

// unrestricted reports whether no limit holds for the client. Of an authenticated client the
// administrator knows the user.
func (s *session) unrestricted() bool {
	return s.final == milter.None && (s.exempt || s.authed.Load() && !s.config.GuardAuth)
}

// delay delays the answer to a client that has guessed before.
func (s *session) delay() {
	if s.config.Mode == policy.Observe {
		return
	}
	d := min(s.facts.Limits.BadRcptDelay, s.guard.longestDelay-s.delayed)
	s.delayed += d
	s.guard.sleep(d)
}
