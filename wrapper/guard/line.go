package guard

import (
	"golang.org/x/sys/unix"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/maillog"
	"sendwrap/wrapper/policy"
)

// The guard's log lines about a session: the verdict and the client, what was counted against which
// limit, the block, the reply, and what the client says of itself last.

// pid is the pid of the log lines about the session: its MTA's, so that one search finds both.
func (s *session) pid() int {
	if s.mta == 0 {
		return unix.Getpid()
	}
	return s.mta
}

// verdictLine is the line of a verdict. Without a code it is observed.
func (s *session) verdictLine(
	v decide.Verdict, code string, block activeBlock, f *decide.Recipients,
) *maillog.Line {
	l := maillog.NewLine(v.String()).Addr("client", s.client)
	if code == "" {
		l.Str("mode", policy.Observe.String())
	}
	switch v {
	case decide.BadRcpts:
		s.addBadRcpts(l, block, f)
	case decide.Resets:
		l.Str("network", s.network.String()).IntOf("resets", f.Resets, f.Limits.MaxResets)
		l.Int("bad", f.Bad).Int("good", f.Good)
	case decide.MaxRcpts:
		l.IntOf("rcpts", f.Rcpts, f.Limits.MaxRcpts)
	case decide.Blocked:
		network := s.network
		if block.left > 0 {
			network = block.network
		}
		l.Str("network", network.String())
	}
	if block.left > 0 {
		l.Dur("left", block.left).Str("reason", block.reason)
	}
	if code != "" {
		l.Str("reply", code)
	}
	if s.queue != "" {
		l.Str("queue", s.queue)
	}
	if s.helo != "" {
		l.Quote("helo", s.helo)
	}
	return l
}

// addBadRcpts adds what is counted of bad recipients: in the session, in the network that is over
// its limit, and of bounces.
func (s *session) addBadRcpts(l *maillog.Line, block activeBlock, f *decide.Recipients) {
	network, has, total := s.network, ledger.Rcpts{Bad: f.Total, Good: f.Mailed},
		f.Limits.BadRcptsTotal
	if n := f.WideGuesses(); n >= 0 {
		network, has, total = f.Limits.Wide[n].Network, f.Wide[n], f.Limits.WideRcpts[n]
	}
	if block.caused() {
		network = block.network
	}
	if f.Null {
		l.Str("sender", "null") // first, so that fail2ban's filter does not match
	}
	l.Str("network", network.String()).IntOf("bad", f.Bad, f.Limits.BadRcpts)
	if total.N > 0 {
		l.IntOf("total", has.Bad, total.N).Str("per", rule.FormatDuration(total.Per))
	}
	l.Int("good", f.Good)
	if total.N > 0 {
		l.Int("total_good", has.Good)
	}
	if f.Null {
		l.IntOf("bounces", f.Bounces, f.Limits.Bounces)
	}
	if block.strikes > 0 {
		l.IntOf("strikes", block.strikes, block.ofStrikes)
	}
}
