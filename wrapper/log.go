package wrapper

import (
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper/config"
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
	case Denied, Allowed:
		l.Str("rule", f.Rule.Source.String()).Str("network", f.Rule.Network.String())
	case Blocked:
		l.Str("network", f.Network.String())
	}
	if s.delay > 0 || s.greet != Quiet {
		l.DurOf("wait", s.waited, s.delay)
	}
	if s.turn >= worthALook {
		l.Dur("turn", s.turn)
	}
	if s.Verdict == Busy {
		l.IntOf("serving", f.Serving, f.Limits.MaxSessions).IntOf("waiting", f.Waiting, f.Limits.MaxWaiting)
		if f.Limits.RefuseLoad > 0 {
			l.FloatOf("load", f.Load, f.Limits.RefuseLoad)
		}
	}
	switch {
	case s.stood && s.Verdict == Allowed:
		l.IntOf("conns", f.Conns+1, 0)
	case s.stood:
		l.IntOf("conns", f.Conns+1, f.Limits.ClientConns)
	case s.Verdict == Conns:
		l.IntOf("conns", f.Conns, f.Limits.ClientConns)
	}
	if s.Verdict == Rate {
		l.IntOf("rate", f.Arrivals, f.Limits.ClientRate.N).Str("per", config.FormatDuration(f.Limits.ClientRate.Per))
	}
	if s.strikes > 0 {
		l.IntOf("strikes", s.strikes, c.Block.Strikes)
	}
	switch {
	case s.block > 0:
		l.Dur("left", s.block)
	case s.Verdict == Blocked:
		l.Dur("left", f.BlockLeft).Str("reason", f.Reason)
	}
	if !s.Served() && s.Verdict != Hangup {
		l.Str("reply", replyCode(s.reply()))
	}
	if s.greet == Spoke {
		l.Str("kind", s.early.Kind).Int("bytes", s.early.Bytes).Data("data", s.early.Text)
	}
	s.write(mta, maillog.Info, l)
}

// worthALook is how long a client must have waited for its turn for the log to say so.
const worthALook = 10 * time.Millisecond

// logFailure writes why a client that should have been served was turned away.
func (s *Session) logFailure(why error) {
	s.write(0, maillog.Err, s.line().Str("reply", replyCode(s.reply())).Quote("error", why.Error()))
}

// line begins a line about the connection.
func (s *Session) line() *maillog.Line { return line(s.Verdict, s.Connection) }

func line(v Verdict, c Connection) *maillog.Line {
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
