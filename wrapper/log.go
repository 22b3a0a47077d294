package wrapper

import (
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper/config"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/maillog"
)

// Log writes the one line of the connection: the verdict, then whatever applies of the keys,
// always in this order. sendwrap(8) explains each of them. It is headed by the pid of the
// MTA that was started for the client, or our own if that is 0.
func (s *Session) Log(mta int) {
	f, c := &s.facts, s.door.Config
	l := s.line()
	if c.Mode == config.Observe {
		l.Str("mode", c.Mode.String())
	}
	switch s.Verdict {
	case decide.Denied, decide.Allowed:
		l.Str("rule", f.Rule.Source.String()).Str("network", f.Rule.Network.String())
	case decide.Blocked:
		l.Str("network", f.Network.String())
	case decide.Conns:
		if f.WiderDecides() {
			l.Str("network", s.door.wide(s.Client.Addr()).String())
		}
	}
	if s.delay > 0 || s.greet != decide.Quiet {
		l.DurOf("wait", s.waited, s.delay)
	}
	if s.turn >= worthALook {
		l.Dur("turn", s.turn)
	}
	switch {
	case s.Verdict != decide.Busy:
	case s.crowded:
		l.Str("reason", "ledger")
	case !f.Full() && f.Reserved():
		l.Str("reason", "reserve")
	}
	if s.Verdict == decide.Busy || s.Verdict == decide.Conns && (f.WiderDecides() || f.HasItsShare()) {
		l.IntOf("serving", f.Serving, f.Limits.MaxSessions).IntOf("waiting", f.Waiting, f.Limits.MaxWaiting)
		if f.Limits.RefuseLoad > 0 {
			l.FloatOf("load", f.Load, f.Limits.RefuseLoad)
		}
	}
	switch {
	case s.Verdict == decide.Conns:
		s.logConns(l)
	case s.stood && s.Verdict == decide.Allowed:
		l.IntOf("conns", f.Conns+1, 0)
	case s.stood:
		l.IntOf("conns", f.Conns+1, f.Limits.ClientConns)
	}
	if s.hangups > 0 {
		l.Int("hangups", s.hangups)
	}
	if s.Verdict == decide.Rate {
		l.IntOf("rate", f.Arrivals, f.Limits.ClientRate.N).Str("per", config.FormatDuration(f.Limits.ClientRate.Per))
	}
	if s.strikes > 0 {
		l.IntOf("strikes", s.strikes, c.Block.Strikes)
	}
	switch {
	case s.block > 0:
		l.Dur("left", s.block)
	case s.Verdict == decide.Blocked:
		l.Dur("left", f.BlockLeft).Str("reason", f.Reason)
	}
	if !s.Served() && s.Verdict != decide.Hangup {
		l.Str("reply", replyCode(s.reply()))
	}
	if hint := s.hint(); hint != "" {
		l.Quote("hint", hint)
	}
	if s.greet == decide.Spoke {
		l.Str("kind", s.early.Kind.String()).Int("bytes", s.early.Bytes).Data("data", s.early.Text)
	}
	s.write(mta, maillog.Info, l)
}

// logConns says of which sessions the network has as many as it may, or the wider one around it.
func (s *Session) logConns(l *maillog.Line) {
	f, conns, served := &s.facts, s.facts.Conns, s.facts.Served
	switch {
	case f.WiderDecides():
		conns, served = f.Wide.Conns, f.Wide.Served
	case s.stood:
		conns++
	}
	l.IntOf("conns", conns, f.Limits.ClientConns)
	if n := f.Share(); n > 0 {
		l.IntOf("mta", served, n)
	}
}

// worthALook is how long a client must have waited for its turn for the log to say so.
const worthALook = 10 * time.Millisecond

// hint is what an administrator can do if the client is honest: once its network is blocked, and
// where it never will be, as there was no strike.
func (s *Session) hint() string {
	switch {
	case s.Verdict == decide.Blocked:
		return decide.Hint(s.facts.Reason)
	case s.Verdict == decide.Pregreet && s.strikes == 0:
		return decide.Hint(decide.Reason(s.early.Kind))
	}
	return ""
}

// logFailure writes why a client that should have been served was turned away.
func (s *Session) logFailure(why error) {
	s.write(0, maillog.Err, s.line().Str("reply", replyCode(s.reply())).Quote("error", why.Error()))
}

// line begins a line about the connection.
func (s *Session) line() *maillog.Line { return line(s.Verdict, s.Connection) }

func line(v decide.Verdict, c Connection) *maillog.Line {
	return maillog.NewLine(v.String()).Addr("client", c.Client).Addr("server", c.Server)
}

func (s *Session) write(pid int, level maillog.Level, l *maillog.Line) {
	if pid == 0 {
		pid = unix.Getpid()
	}
	// A log that fails is nothing to fail for.
	_ = s.door.Log.WriteAs(pid, level, l.String())
}

// replyCode is what the log says of the line that the client was told.
func replyCode(line string) string {
	if line == "" {
		return "none"
	}
	return line[:3]
}
