package guard

import (
	"errors"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"sendwrap/allowlist"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/milter"
)

// longestDelay bounds what a session waits in all for bad_rcpt_delay: an MTA process waits along.
const longestDelay = 30 * time.Second

// session is one client in the hands of one MTA process, over all its transactions. It has a
// goroutine of its own; the watch may look at what does not change after connect, and may set
// blocked.
type session struct {
	guard   *guard
	wire    *milter.Conn
	macros  milter.Macros // for the next command
	mta     int           // the process, 0 where it cannot be known
	agreed  bool          // what it is told and asks for
	noReply bool          // to HELO
	began   time.Time

	client  netip.AddrPort
	network netip.Prefix
	config  *config.Config // as it was when the client came
	exempt  bool           // under allow, without an internet address, or not known yet
	authed  atomic.Bool    // the client has said who it is
	blocked atomic.Bool    // a block has begun since it came
	unasked bool           // the ledger could not tell yet whether a block ran when it came
	busy    atomic.Bool    // a message has recipients, and is perhaps on its way
	null    atomic.Bool    // a transaction of the null sender's is open
	gone    atomic.Bool
	greeted atomic.Bool // its connect has been answered; until then the watch leaves the session to it

	postfix bool // the MTA is one
	inetd   bool // it is sendmail -bs
	tls     bool // since STARTTLS
	socket  int  // the descriptor with the client in the MTA's process, as far as we know; -1 is not yet. Under guard.cutting
	outbox  outbox
	keeps   bool // replies, when it last asked about a recipient

	charge *offence // one of which it will show what it is; nil if there is none

	helo       string
	queue      string // the MTA's name for the message
	open       bool   // a transaction
	named      bool   // a recipient of it
	severed    bool   // the client has been given the time to get its last replies
	names      names  // of good ones
	facts      decide.Recipients
	delayed    time.Duration
	told       [decide.MaxRcpts + 1]bool // verdicts, in the log
	toldNull   bool                      // that the null sender is put off
	over       milter.Answer             // nothing else is answered any more
	transcript *transcript               // nil if none is kept
}

// errTwice ends a connection on which an MTA tells of another client: none does, and what is
// counted is the first one's.
var errTwice = errors.New("a second client on one connection")

// connect begins the session. A client under allow is out of it: the MTA asks no more.
func (s *session) connect(data []byte, macros milter.Macros) (milter.Answer, error) {
	if s.config != nil {
		return milter.None, errTwice
	}
	told, err := milter.ReadClient(data)
	if err != nil {
		return milter.None, err
	}
	client, ok := clientOf(told, macros)
	if !ok {
		return milter.Accept, nil
	}
	g := s.guard
	s.client, s.config = client, g.config.Load()
	rule := s.config.Networks.Match(client.Addr())
	if rule.Access == allowlist.Allow {
		return milter.Accept, nil
	}
	s.exempt = false
	s.postfix = strings.HasPrefix(macros.Get(macroVersion), "Postfix")
	s.inetd = !s.postfix && macros.Get(macroDaemon) == ""
	s.facts.Limits = new(decide.Limits)
	s.facts.Limits.Set(s.config, false, rule.Limits)
	s.network = s.config.Network(client.Addr())
	s.transcript = newTranscript(s)
	g.join(s)
	s.unasked = true
	r := s.answer(false)
	s.greeted.Store(true)
	if s.over == milter.None && s.blocked.Load() { // by the watch, meanwhile
		r = s.answer(false)
	}
	return r, nil
}

// hello is for the log.
func (s *session) hello(name string) milter.Answer {
	s.helo = strings.Clone(name[:min(len(name), 64)])
	s.transcript.add("HELO", name, "")
	switch {
	case s.noReply:
		return milter.None
	case s.over != milter.None:
		return s.over
	}
	return goOn
}

// mail begins a transaction.
func (s *session) mail(from string, macros milter.Macros) milter.Answer {
	s.queue = strings.Clone(macros.Get(macroQueue))
	s.authed.Store(macros.Get(macroAuth) != "")
	s.tls = macros.Get(macroTLS) != ""
	s.transcript.add("MAIL", from, "")
	if s.spared() {
		return goOn
	}
	s.mark()
	s.open, s.named, s.facts.Rcpts = true, false, 0
	s.names.begin()
	s.busy.Store(false)
	s.facts.Null, s.facts.Bounces = from == "", 0
	s.null.Store(s.facts.Null)
	r := s.answer(false)
	if s.over == milter.None {
		if off := s.putOff(); off != milter.None {
			r = off
		}
	}
	return r
}

// rcpt counts a recipient, and whether the MTA has rejected it.
func (s *session) rcpt(rcpt string, macros milter.Macros) milter.Answer {
	why, bad := rejected(macros)
	s.transcript.add("RCPT", rcpt, why)
	if q := macros.Get(macroQueue); q != "" {
		s.queue = strings.Clone(q) // Postfix has none before
	}
	if s.spared() {
		return goOn
	}
	s.named = true
	if s.over != milter.None {
		switch {
		case s.charge == nil:
		case bad:
			s.facts.Bad++
		case why == "":
			s.facts.Good++
		}
		return s.answer(bad)
	}
	guessed := s.facts.Bad > 0
	if bad || guessed {
		s.keeps = s.mark()
	}
	switch {
	case bad:
		s.facts.Bad++
	case why == "":
		s.facts.Good++
		s.facts.Rcpts++
		s.names.add(s.guard.seed, rcpt)
		s.busy.Store(true)
	}
	r := s.answer(bad)
	if guessed && s.over == milter.None {
		s.wait()
		if s.blocked.Load() { // meanwhile, for what another session did
			r = s.answer(false)
		}
	}
	return r
}

// abort ends a transaction that came to nothing. The client learns at the next one if it was one
// too many.
func (s *session) abort() {
	if s.open {
		s.transcript.add("RSET", "", "")
		s.endMessage()
		s.facts.Resets++
	}
}

// end is the end of a message, of which nothing was looked at. It does not go through once the
// session is over: then all that the client hears is the 421.
func (s *session) end() milter.Answer {
	s.endMessage()
	if s.over != milter.None {
		return s.answer(false)
	}
	s.mailed()
	return goOn
}

// endMessage notes that a transaction is over.
func (s *session) endMessage() {
	s.open = false
	s.busy.Store(false)
	s.null.Store(false)
}

// spared says whether the client may do what it likes. One that has said who it is can be asked.
func (s *session) spared() bool {
	return s.over == milter.None && (s.exempt || s.authed.Load() && !s.config.GuardAuth)
}

// wait holds back the answer to a client that has guessed before.
func (s *session) wait() {
	if s.config.Mode == config.Observe {
		return
	}
	d := min(s.facts.Limits.BadRcptDelay, s.guard.longestDelay-s.delayed)
	s.delayed += d
	s.guard.sleep(d)
}
