package guard

import (
	"strings"
	"time"

	"github.com/emersion/go-milter"
	"golang.org/x/sys/unix"

	"sendwrap/wrapper"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/enforce"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/maillog"
)

// reasonBadRcpts is what the ledger keeps as the reason of a block.
const reasonBadRcpts = "bad_rcpts"

// goOn leaves the MTA to its own answer.
const goOn = milter.RespContinue

// sentence is the block that runs on the client's network.
type sentence struct {
	left   time.Duration // 0 = none runs
	reason string
	began  bool // just now, by this session
}

// answer decides about what the client has just asked for, a bad recipient or anything else, and is what the MTA is told.
func (s *session) answer(bad bool) milter.Response {
	if s.over != nil {
		s.cut() // the MTA did not listen, and goes on
		return s.over
	}
	f := &s.facts
	block := s.standing()
	if bad {
		if b := s.guess(); b.left > 0 {
			block = b
		}
	}
	v := f.Decide()
	if v == wrapper.Undecided || v == wrapper.Blocked && s.told[wrapper.BadRcpts] { // observed: it is its own block
		return goOn
	}
	s.tell(v, block)
	if block.began {
		s.transcript.keep()
		s.guard.blockBegan(enforce.Block{Network: s.network, For: block.left, Reason: reasonBadRcpts})
	}
	switch {
	case s.config.Mode == config.Observe:
		return goOn
	case v == wrapper.MaxRcpts: // this one only
		f.Good--
		f.Rcpts--
		return s.reply(v)
	}
	s.over = s.reply(v)
	s.cutAfter(answerTime)
	return s.over
}

// standing is the block of which the session has been told by the watch, if it still runs, or if the ledger cannot tell.
func (s *session) standing() (block sentence) {
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

// guess counts a bad recipient in the ledger. One that is too many begins a block, unless one runs.
func (s *session) guess() (block sentence) {
	f := &s.facts
	_ = s.guard.inLedger(func(t *ledger.Tx) {
		if per := f.Limits.BadRcptsTotal.Per; per > 0 {
			f.Total = t.BadRcpt(s.network, per)
		}
		if b, runs := t.BlockOf(s.client.Addr(), s.network); runs {
			f.Blocked, block = true, sentence{left: b.Left, reason: b.Reason}
			return
		}
		if f.Decide() == wrapper.BadRcpts && s.config.Block.Strikes > 0 {
			left := t.Block(s.network, 0, reasonBadRcpts, wrapper.Penalty(s.config))
			block = sentence{left: left, reason: reasonBadRcpts, began: left > 0}
			if block.began {
				s.blocked.Store(true) // before look sees the block: this client must still get its reply
			}
		}
	})
	return block
}

// tell counts a verdict and writes its line, once a session: the client may go on asking.
func (s *session) tell(v wrapper.Verdict, block sentence) {
	if s.told[v] {
		return
	}
	s.told[v] = true
	_ = s.guard.inLedger(func(t *ledger.Tx) { t.Count(int(v)) })
	s.transcript.verdict(v.String())

	f := &s.facts
	l := maillog.NewLine(v.String()).Addr("client", s.client)
	if s.config.Mode == config.Observe {
		l.Str("mode", s.config.Mode.String())
	}
	switch v {
	case wrapper.BadRcpts:
		l.Str("network", s.network.String()).IntOf("bad", f.Bad, f.Limits.BadRcpts)
		if f.Limits.BadRcptsTotal.N > 0 {
			l.IntOf("total", f.Total, f.Limits.BadRcptsTotal.N).Str("per", config.FormatDuration(f.Limits.BadRcptsTotal.Per))
		}
		l.Int("good", f.Good)
	case wrapper.Resets:
		l.Str("network", s.network.String()).IntOf("resets", f.Resets, f.Limits.MaxResets).Int("bad", f.Bad).Int("good", f.Good)
	case wrapper.MaxRcpts:
		l.IntOf("rcpts", f.Rcpts, f.Limits.MaxRcpts)
	case wrapper.Blocked:
		l.Str("network", s.network.String())
	}
	if block.left > 0 {
		l.Dur("left", block.left).Str("reason", block.reason)
	}
	if s.config.Mode == config.Enforce {
		l.Str("reply", wrapper.ReplyCode(v))
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

// reply is an answer of ours, for the client. A % in it the MTA would take for the beginning of something else.
func (s *session) reply(v wrapper.Verdict) milter.Response {
	return milter.NewResponseStr(byte(milter.ActReplyCode), strings.ReplaceAll(wrapper.Reply(v, s.guard.host), "%", "%%"))
}
