package guard

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/emersion/go-milter"

	"sendwrap/allowlist"
	"sendwrap/wrapper"
	"sendwrap/wrapper/config"
)

// longestDelay bounds what a session waits in all for bad_rcpt_delay: an MTA process waits along.
const longestDelay = 30 * time.Second

// session is one client in the hands of one MTA process, over all its transactions. go-milter calls its methods, one at a
// time; the watch may look at what does not change after Connect, and may set blocked.
type session struct {
	milter.NoOpMilter

	guard   *guard
	wire    *wire
	mta     int  // the process, 0 where it cannot be known
	noReply bool // to HELO
	began   time.Time

	client  netip.AddrPort
	network netip.Prefix
	config  *config.Config // as it was when the client came
	exempt  bool           // under allow, without an internet address, or not known yet
	authed  atomic.Bool    // the client has said who it is
	blocked atomic.Bool    // a block has begun since it came
	busy    atomic.Bool    // a message has recipients, and is perhaps on its way
	gone    atomic.Bool

	helo       string
	queue      string // the MTA's name for the message
	open       bool   // a transaction
	facts      Facts
	delayed    time.Duration
	told       [wrapper.MaxRcpts + 1]bool // verdicts, in the log
	over       milter.Response            // nothing else is answered any more
	transcript *transcript                // nil if none is kept
}

// errTwice ends a connection on which an MTA tells of another client: none does, and what is counted is the first one's.
var errTwice = errors.New("a second client on one connection")

// Connect begins the session. A client under allow is out of it: the MTA asks no more.
func (s *session) Connect(_, family string, port uint16, addr net.IP, m *milter.Modifier) (milter.Response, error) {
	if s.config != nil {
		return nil, errTwice
	}
	client, ok := clientOf(family, port, addr, m.Macros)
	if !ok {
		return milter.RespAccept, nil
	}
	g := s.guard
	s.client, s.config = client, g.config.Load()
	rule := s.config.Networks.Match(client.Addr())
	if rule.Access == allowlist.Allow {
		return milter.RespAccept, nil
	}
	s.exempt = false
	s.facts.Limits = limitsFor(s.config, rule.Limits)
	s.network = s.config.CountBy.Network(client.Addr())
	s.transcript = newTranscript(s)
	g.join(s)
	if block, _ := g.blockOf(s); block.left > 0 {
		s.blocked.Store(true)
	}
	return s.answer(false), nil
}

// Helo is for the log.
func (s *session) Helo(name string, _ *milter.Modifier) (milter.Response, error) {
	s.helo = strings.Clone(name[:min(len(name), 64)]) // and not the whole packet
	s.transcript.add("HELO", name, "")
	switch {
	case s.noReply:
		return nil, nil
	case s.over != nil:
		return s.over, nil
	}
	return goOn, nil
}

// MailFrom begins a transaction.
func (s *session) MailFrom(from string, m *milter.Modifier) (milter.Response, error) {
	s.queue = strings.Clone(m.Macros[macroQueue])
	s.authed.Store(m.Macros[macroAuth] != "")
	s.transcript.add("MAIL", from, "")
	if s.spared() {
		return goOn, nil
	}
	s.open, s.facts.Rcpts = true, 0
	s.busy.Store(false)
	return s.answer(false), nil
}

// RcptTo counts a recipient, and whether the MTA has rejected it.
func (s *session) RcptTo(rcpt string, m *milter.Modifier) (milter.Response, error) {
	why, bad := rejected(m.Macros)
	s.transcript.add("RCPT", rcpt, why)
	if q := m.Macros[macroQueue]; q != "" {
		s.queue = strings.Clone(q) // Postfix has none before
	}
	clear(m.Macros) // which tell of this recipient alone
	if s.spared() {
		return goOn, nil
	}
	guessed := s.facts.Bad > 0
	switch {
	case bad:
		s.facts.Bad++
	case why == "":
		s.facts.Good++
		s.facts.Rcpts++
		s.busy.Store(true)
	}
	r := s.answer(bad)
	if guessed && s.over == nil {
		s.wait()
		if s.blocked.Load() { // meanwhile, for what another session did
			r = s.answer(false)
		}
	}
	return r, nil
}

// Abort ends a transaction that came to nothing. The client learns at the next one if it was one too many.
func (s *session) Abort(*milter.Modifier) error {
	if s.open {
		s.transcript.add("RSET", "", "")
		s.open = false
		s.busy.Store(false)
		s.facts.Resets++
	}
	return nil
}

// Body is the end of a message, of which nothing was looked at. It does not go through once the session is over: then all that the
// client hears is the 421.
func (s *session) Body(*milter.Modifier) (milter.Response, error) {
	s.open = false
	s.busy.Store(false)
	if s.over != nil {
		return s.answer(false), nil
	}
	return goOn, nil
}

// spared says whether the client may do what it likes. One that has said who it is can be asked.
func (s *session) spared() bool {
	return s.over == nil && (s.exempt || s.authed.Load() && !s.config.GuardAuth)
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
