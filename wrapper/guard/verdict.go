package guard

import (
	"strings"

	"sendwrap/wrapper"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/maillog"
	"sendwrap/wrapper/milter"
	"sendwrap/wrapper/policy"
)

// reasonBadRcpts is the reason of the guard's blocks and strikes.
const reasonBadRcpts = "bad_rcpts"

// answer decides about the client's command, for a bad recipient or anything else, and returns the
// answer to the MTA.
func (s *session) answer(bad bool) milter.Answer {
	if s.final != milter.None { // the MTA has ignored it, and goes on
		if !s.acksAwaited {
			s.acksAwaited = true
			s.awaitAcks()
		}
		s.disconnect()
		// With no good recipient and few bad ones it may still be a list with a few dead members.
		if f := &s.facts; f.Good > 0 || f.Bad >= 2*f.Limits.BadRcpts {
			s.decideDeferred()
		}
		return s.final
	}
	f := &s.facts
	block := s.currentBlock()
	if bad {
		if b := s.countBad(); b.left > 0 || b.strikes > 0 || b.deferred {
			block = b
		}
	}
	v := f.Decide()
	observed := s.config.Mode == policy.Observe && s.logged[decide.BadRcpts]
	if v == decide.Undecided || v == decide.Blocked && observed { // by its own observed block
		s.noteObserved(f.Would())
		return milter.Continue
	}
	if !block.deferred {
		s.carryOut(v, block)
	}
	switch {
	case s.config.Mode == policy.Observe:
		return milter.Continue
	case v == decide.MaxRcpts: // only this recipient is refused
		f.Good--
		f.Rcpts--
		return s.reply(s.code(v), v)
	}
	s.final = s.reply(s.code(v), v)
	return s.finish(bad)
}

// currentBlock is the block that ran when the client came, or that markBlocked has noted, if it
// still runs or if the ledger cannot say.
func (s *session) currentBlock() (block activeBlock) {
	if s.askAgain {
		var block activeBlock
		err := s.guard.inLedger(func(t *ledger.Tx) {
			block, s.passed = s.blockIn(t), t.HasPassed(s.client, s.network)
		})
		if !retryable(err) {
			s.askAgain = false
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

// carryOut logs a verdict, and does what follows from a block or a strike.
func (s *session) carryOut(v decide.Verdict, block activeBlock) {
	if !s.logged[v] { // once a session: the client may go on
		s.logged[v] = true
		s.logVerdict(v, s.loggedCode(s.code(v)), block, &s.facts)
	}
	if block.caused() {
		s.transcript.keep()
	}
	if block.began {
		s.guard.startBlock(block.network, block.left)
	}
}

// countBad counts a bad recipient in the ledger. Over the limit it is an offence, unless a block
// runs.
//
// Postfix has mostly read all recipients by then, and asks about the others while its client gets
// no more replies. Senders name recipients in any order: so with Postfix the guard waits to see
// whether a good one follows.
func (s *session) countBad() (block activeBlock) {
	if s.facts.Null {
		s.countBounce()
		return block
	}
	s.facts.Named = len(s.goodRcpts.hashes)
	o := offence{client: s.client.Addr(), network: s.network, config: s.config, facts: s.facts,
		ours:     s.guard.door.OwnOf(s.network, s.facts.Limits),
		mayDefer: s.repliesHeld && s.config.Mode == policy.Enforce}
	block = s.record(&o)
	if block.deferred {
		s.deferred = &o
	}
	return block
}

// decideDeferred decides about a deferred offence, if there is one.
func (s *session) decideDeferred() {
	o := s.deferred
	if o == nil {
		return
	}
	s.deferred, o.mayDefer = nil, false
	if s.facts.Bad < 2*s.facts.Limits.BadRcpts {
		o.facts.Good = s.facts.Good
	}
	s.carryOut(decide.BadRcpts, s.record(o))
}

// record writes an offence into the ledger, now or later.
func (s *session) record(o *offence) (block activeBlock) {
	err := s.guard.inLedger(func(t *ledger.Tx) { block = o.record(t) })
	s.facts = o.facts
	if block.began {
		s.blocked.Store(true) // before findNewBlocks: this client must still get its reply
	}
	if retryable(err) {
		s.guard.recordLater(*o, s.transcript)
	}
	return block
}

// logVerdict counts a verdict and writes its log line. Without a code it is observed.
func (s *session) logVerdict(
	v decide.Verdict, code string, block activeBlock, f *decide.Recipients,
) {
	s.guard.count(s.network, v, code == "")
	s.transcript.verdict(v.String())
	_ = s.guard.log().WriteAs(s.pid(), maillog.Info, s.verdictLine(v, code, block, f).String())
}

// reply is the answer that gives the client the reply of a verdict, with this code.
func (s *session) reply(code string, v decide.Verdict) milter.Answer {
	line := wrapper.Reply(v, s.client.Addr(), &s.config.Settings)
	return milter.Reply(code + strings.TrimPrefix(line, wrapper.ReplyCode(v)))
}

// code is the code of the reply. An MTA that loses replies when it ends the session must not end it
// at MAIL.
func (s *session) code(v decide.Verdict) string {
	code := wrapper.ReplyCode(v)
	if code == "421" && s.losesReplies() && s.open && !s.hasRcpts {
		return "451"
	}
	return code
}
