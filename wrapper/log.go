package wrapper

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/maillog"
	"sendwrap/wrapper/policy"
)

// Log writes the one line of the connection: the verdict, then whatever applies of the keys,
// always in this order. sendwrap(8) explains each of them. The line has the pid of the MTA that was
// started for the client, or our own if that is 0.
func (s *Session) Log(mta int) {
	f, v := s.facts(), s.shown()
	limits := &f.Limits
	l := line(v, s.Connection)
	if s.door.Policy.Mode == policy.Observe || v != s.Verdict {
		l.Str("mode", policy.Observe.String())
	}
	if v != s.Verdict {
		limits.Observed = 0 // the line says which test would have decided, and what it found
	}
	switch v {
	case decide.Denied, decide.Allowed:
		by := f.Decider()
		l.Str("rule", by.Source.String())
		if by.Name == "" {
			l.Str("network", by.Network.String())
		}
	case decide.Blocked:
		l.Str("network", f.Network.String())
	case decide.Conns, decide.Rate:
		if n := f.DecidedByWide(v); n >= 0 {
			l.Str("network", limits.Wide[n].Network.String())
		} else if v == decide.Conns && f.WideDecides() {
			wide := netip.PrefixFrom(s.Client.Addr(), ledger.WideBits)
			l.Str("network", wide.Masked().String())
		}
	case decide.Pregreet:
		if s.struck != nil && s.struck.Network != s.network {
			l.Str("network", s.struck.Network.String())
		}
	}
	if s.delay > 0 || s.greet != decide.Quiet {
		l.DurOf("wait", s.waited, s.delay)
	}
	if s.turn >= shortestTurn {
		l.Dur("turn", s.turn)
	}
	switch {
	case v != decide.Busy:
	case s.crowded:
		l.Str("reason", "ledger")
	case !f.Full() && f.Reserved():
		l.Str("reason", "reserve")
	}
	if v == decide.Busy ||
		v == decide.Conns && (f.WideDecides() || f.HasItsShare()) {
		l.IntOf("serving", f.Serving, limits.MaxSessions)
		l.IntOf("waiting", f.Waiting, limits.MaxWaiting)
		if limits.RefuseLoad > 0 {
			l.FloatOf("load", f.Load, limits.RefuseLoad)
		}
	}
	switch {
	case v == decide.Conns:
		s.logConns(l, v)
	case s.entered && v == decide.Allowed:
		l.IntOf("conns", f.Conns+1, 0)
	case s.entered:
		l.IntOf("conns", f.Conns+1, limits.ClientConns)
	}
	if s.hangups > 0 {
		l.Int("hangups", s.hangups)
	}
	if v == decide.Rate {
		s.logRate(l, v)
	}
	s.logHeard(l)
	if s.door.Policy.Unread != nil && s.open == notOpen {
		s.open = rulesUnread
	}
	if s.open != notOpen {
		l.Str("open", s.open.String())
	}
	if s.struck != nil {
		l.IntOf("strikes", s.struck.Strikes, s.struck.Of)
		if s.struck.Would.IsValid() {
			l.Str("would_block", s.struck.Would.String())
		}
	}
	switch {
	case s.struck != nil && s.struck.Block > 0:
		l.Dur("left", s.struck.Block)
	case v == decide.Blocked:
		l.Dur("left", f.BlockLeft).Str("reason", f.Reason)
		if f.From != "" {
			l.Str("from", f.From)
		}
	}
	if !s.Served() && s.Verdict != decide.Hangup {
		l.Str("reply", replyCode(s.reply()))
	}
	if hint := s.hint(v); hint != "" {
		l.Quote("hint", hint)
	}
	if s.greet == decide.Spoke {
		l.Str("kind", s.early.Kind.String()).Int("bytes", s.early.Bytes)
		l.Data("data", s.early.Text)
	}
	s.write(mta, maillog.Info, l)
	if f.IsKnown() && !s.Served() && s.Verdict != decide.Hangup {
		s.door.Ledger.CountTrouble(ledger.KnownRefused, 1)
	}
	if err := s.door.Policy.Unread; err != nil {
		s.door.Ledger.CountTrouble(ledger.RulesUnread, 1)
		s.door.WarnAgain([]string{err.Error() + "; rules for names do not hold; " +
			"remove that file, and the next client has it made again"})
	}
}

// logRate says of which arrivals the network, or a wide one, has as many as it may.
func (s *Session) logRate(l *maillog.Line, v decide.Verdict) {
	f := s.facts()
	arrivals, rate := f.Arrivals, f.Limits.ClientRate
	if n := f.DecidedByWide(v); n >= 0 {
		w := &f.Limits.Wide[n]
		arrivals, rate = int(f.WideCounts[n].Arrivals), rule.Rate{N: w.Rate, Per: w.Per}
	}
	l.IntOf("rate", arrivals, rate.N).Str("per", rule.FormatDuration(rate.Per))
}

// logConns says of which sessions the network, or a wide one, has as many as it may.
func (s *Session) logConns(l *maillog.Line, v decide.Verdict) {
	f, conns, served := s.facts(), s.facts().Conns, s.facts().Served
	if n := f.DecidedByWide(v); n >= 0 {
		l.IntOf("conns", int(f.WideCounts[n].Conns), f.Limits.Wide[n].Conns)
		return
	}
	switch {
	case f.WideDecides():
		conns, served = f.Wide.Conns, f.Wide.Served
	case s.entered && v == s.Verdict: // else those were too many before it came
		conns++
	}
	l.IntOf("conns", conns, f.Limits.ClientConns)
	if n := f.Share(); n > 0 {
		l.IntOf("mta", served, n)
	}
}

// shortestTurn is the shortest wait for its turn that the log mentions.
const shortestTurn = 10 * time.Millisecond

// hint is what an administrator can do if the client is honest. The log says it once the network is
// blocked, and for an offence without a strike, after which it never will be.
func (s *Session) hint(v decide.Verdict) string {
	switch {
	case v == decide.Blocked:
		return decide.Hint(s.facts().Reason)
	case v == decide.Pregreet && s.struck == nil:
		return decide.Hint(decide.Reason(s.early.Kind))
	}
	return ""
}

// logFailure writes why a client that was to be served is refused.
func (s *Session) logFailure(why error) {
	l := s.line().Str("reply", replyCode(s.reply())).Quote("error", why.Error())
	s.write(0, maillog.Err, l)
}

// line begins a line about the connection.
func (s *Session) line() *maillog.Line { return line(s.Verdict, s.Connection) }

func line(v decide.Verdict, c Connection) *maillog.Line {
	return maillog.NewLine(v.String()).Addr("client", c.Client).Addr("server", c.Server)
}

func (s *Session) write(pid int, level maillog.Level, l *maillog.Line) {
	if pid == 0 {
		pid = s.door.Process.PID
	}
	if pid == 0 {
		pid = unix.Getpid() // the client was not counted
	}
	if s.door.Log.WriteAs(pid, level, l.String()) != nil { // that is nothing to fail for
		s.door.Ledger.CountTrouble(ledger.Unlogged, 1)
	}
}

// replyCode is what the log says of the reply to the client.
func replyCode(line string) string {
	if line == "" {
		return "none"
	}
	return line[:3]
}
