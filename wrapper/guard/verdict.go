package guard

import (
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/enforce"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/maillog"
	"sendwrap/wrapper/milter"
)

// reasonBadRcpts is what the ledger keeps as the reason of a block.
const reasonBadRcpts = "bad_rcpts"

// goOn leaves the MTA to its own answer.
const goOn = milter.Continue

// sentence is the block that runs on the client's network.
type sentence struct {
	left   time.Duration // 0 = none runs
	reason string
	began  bool // just now, by this session
	open   bool // the session is over, and what it has earned will show

	strikes, most int // that count now, the latest of which is this session's, and how many make a block; 0 = it is none
}

// earned says whether it is this session's doing.
func (b *sentence) earned() bool { return b.began || b.strikes > 0 }

// answer decides about what the client has just asked for, a bad recipient or anything else, and is
// what the MTA is told.
func (s *session) answer(bad bool) milter.Answer {
	if s.over != milter.None { // the MTA did not listen, and goes on
		if !s.severed {
			s.severed = true
			s.confirmed()
		}
		s.cut()
		if f := &s.facts; f.Good > 0 || f.Bad >= 2*f.Limits.BadRcpts { // which is no list with a few dead members
			s.conclude()
		}
		return s.over
	}
	f := &s.facts
	block := s.standing()
	if bad {
		if b := s.guess(); b.left > 0 || b.strikes > 0 || b.open {
			block = b
		}
	}
	v := f.Decide()
	own := s.config.Mode == config.Observe && s.told[decide.BadRcpts]
	if v == decide.Undecided || v == decide.Blocked && own { // its own block, observed
		return goOn
	}
	if !block.open {
		s.earn(v, block)
	}
	switch {
	case s.config.Mode == config.Observe:
		return goOn
	case v == decide.MaxRcpts: // this one only
		f.Good--
		f.Rcpts--
		return s.reply(v)
	}
	s.over = s.reply(v)
	return s.part(bad)
}

// standing is the block that ran when the session came, or of which the session has been told by
// the watch, if it still runs, or if the ledger cannot tell.
func (s *session) standing() (block sentence) {
	if s.unasked {
		if block, err := s.guard.blockOf(s); !held(err) {
			s.unasked = false
			if block.left > 0 {
				s.blocked.Store(true)
			}
		}
	}
	s.facts.Blocked = s.blocked.Load()
	if !s.facts.Blocked {
		return block
	}
	block, err := s.guard.blockOf(s)
	if err == nil && block.left == 0 {
		s.facts.Blocked = false
		s.blocked.Store(false)
	}
	return block
}

// earn writes the line, and what follows from it.
func (s *session) earn(v decide.Verdict, block sentence) {
	s.tell(v, s.code(v), block)
	if block.earned() {
		s.transcript.keep()
	}
	if block.began {
		s.guard.blockBegan(enforce.Block{Network: s.network, For: block.left, Reason: reasonBadRcpts})
	}
}

// guess counts a bad recipient in the ledger. One that is too many is an offence, unless a block
// runs.
//
// Postfix has mostly read all recipients by then, and tells of the others while its client hears no
// more. Senders name theirs in any order: so with Postfix it is seen first whether a good one
// follows.
func (s *session) guess() (block sentence) {
	if s.facts.Null {
		s.bounced()
		return block
	}
	s.facts.Named = len(s.names.hashes)
	o := offence{client: s.client.Addr(), network: s.network, config: s.config, facts: s.facts,
		ours: s.guard.door.IsOwn(s.network), patient: s.keeps && s.config.Mode == config.Enforce}
	block = s.enter(&o)
	if block.open {
		s.charge = &o
	}
	return block
}

// conclude ends the wait for what follows, if there is one.
func (s *session) conclude() {
	o := s.charge
	if o == nil {
		return
	}
	s.charge, o.patient = nil, false
	if s.facts.Bad < 2*s.facts.Limits.BadRcpts {
		o.facts.Good = s.facts.Good
	}
	s.earn(decide.BadRcpts, s.enter(o))
}

// enter has the ledger know of an offence, now or later.
func (s *session) enter(o *offence) (block sentence) {
	err := s.guard.inLedger(func(t *ledger.Tx) { block = o.enter(t) })
	s.facts = o.facts
	if block.began {
		// before look sees the block: this client must still get its reply
		s.blocked.Store(true)
	}
	if err != nil {
		s.guard.owe(err, *o, s.transcript)
	}
	return block
}

// tell counts a verdict and writes its line, once a session: the client may go on asking.
func (s *session) tell(v decide.Verdict, code string, block sentence) {
	if !s.told[v] {
		s.told[v] = true
		s.write(v, code, block)
	}
}

func (s *session) write(v decide.Verdict, code string, block sentence) {
	s.guard.count(v)
	s.transcript.verdict(v.String())

	f := &s.facts
	l := maillog.NewLine(v.String()).Addr("client", s.client)
	if s.config.Mode == config.Observe {
		l.Str("mode", s.config.Mode.String())
	}
	if v == decide.BadRcpts && f.Null {
		l.Str("sender", "null") // here, so that fail2ban's filter does not find it
	}
	switch v {
	case decide.BadRcpts:
		l.Str("network", s.network.String()).IntOf("bad", f.Bad, f.Limits.BadRcpts)
		if f.Limits.BadRcptsTotal.N > 0 {
			l.IntOf("total", f.Total, f.Limits.BadRcptsTotal.N).Str("per", config.FormatDuration(f.Limits.BadRcptsTotal.Per))
		}
		l.Int("good", f.Good)
		if f.Limits.BadRcptsTotal.N > 0 {
			l.Int("total_good", f.Mailed)
		}
		if f.Null {
			l.IntOf("bounces", f.Bounces, f.Limits.Bounces)
		}
		if block.strikes > 0 {
			l.IntOf("strikes", block.strikes, block.most)
		}
	case decide.Resets:
		l.Str("network", s.network.String()).IntOf("resets", f.Resets, f.Limits.MaxResets).Int("bad", f.Bad).Int("good", f.Good)
	case decide.MaxRcpts:
		l.IntOf("rcpts", f.Rcpts, f.Limits.MaxRcpts)
	case decide.Blocked:
		l.Str("network", s.network.String())
	}
	if block.left > 0 {
		l.Dur("left", block.left).Str("reason", block.reason)
	}
	if s.config.Mode == config.Enforce {
		l.Str("reply", code)
	}
	if s.queue != "" {
		l.Str("queue", s.queue)
	}
	pid := s.mta
	if pid == 0 {
		pid = unix.Getpid()
	}
	if s.helo != "" {
		l.Quote("helo", s.helo)
	}
	_ = s.guard.log().WriteAs(pid, maillog.Info, l.String())
}

// reply is an answer of ours, for the client.
func (s *session) reply(v decide.Verdict) milter.Answer { return s.replyAs(s.code(v), v) }

// replyAs is reply with another code.
func (s *session) replyAs(code string, v decide.Verdict) milter.Answer {
	line := wrapper.Reply(v, s.client.Addr(), s.config)
	return milter.Reply(code + strings.TrimPrefix(line, wrapper.ReplyCode(v)))
}

// code is that of the reply. An MTA that loses what it has answered when it ends the session must
// not do so because of MAIL.
func (s *session) code(v decide.Verdict) string {
	code := wrapper.ReplyCode(v)
	if code == "421" && s.loses() && s.open && !s.named {
		return "451"
	}
	return code
}
